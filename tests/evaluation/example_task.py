"""A task that was done, of which tests make others with `dataclasses.replace`."""

from __future__ import annotations

from loci_sim.evaluation.tasks import TaskResult

GOAL = TaskResult(
    scene="home:0",
    row=0,
    index=0,
    kind="category",
    text="find the mug",
    object_ids=("mug_1", "mug_2"),
    claimed=True,
    success=True,
    shortest=5.0,
    travelled=10.0,
    distance=0.4,
    n_steps=40,
    seconds=4.0,
    n_collisions=1,
    reason="red mug",
    trace=((0.0, 0.0), (1.0, 2.0)),
    viewpoints=((1.0, 2.5),),
)
