"""Ask the robot that is running (`loci up`, or `ros2 launch`): python examples/ask.py "where is the mug?" """

import sys

from loci.nodes.client import MemoryClient

question = " ".join(sys.argv[1:]) or "where is the mug?"
with MemoryClient(timeout=90.0) as memory:
    answer = memory.ask(question, limit=3)
    print(answer.answer, f"({answer.confidence:.0%})" if answer.known else "(not known yet)")
    for e in answer.evidence:
        print(" ", e.id, e.text, e.position)
