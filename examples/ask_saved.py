"""Ask a saved memory, without ROS: python examples/ask_saved.py out/demo/memory "where is the mug?" """

import sys

from loci.memory import RobotMemory
from loci.perception.text import MiniLMTextEncoder
from loci.planning.local import LocalReader
from loci.planning.offline import OfflinePlanner

with RobotMemory.open(sys.argv[1], read_only=True) as memory:
    answer = OfflinePlanner(MiniLMTextEncoder()).ask(" ".join(sys.argv[2:]), LocalReader(memory), limit=3)
    print(answer.answer, f"({answer.confidence:.0%})" if answer.known else "(not known yet)")
    for e in answer.evidence:
        print(" ", e.id, e.text, e.position)
