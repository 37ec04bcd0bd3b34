"""The tree of a task says what was tried and what came of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loci.planning.task_tree import MAX_TRIES, TaskTree


def test_a_task_reads_as_lines_and_as_json() -> None:
    tree = TaskTree("find the mug, then go to the sink", ["find mug", "find sink"])
    tree.root.begin(1)
    first = tree.root.children[0]
    first.begin(1)
    first.begin_try("try mug on the shelf", 2, ("object/1",)).end("failed", "it is not there", 3)
    first.begin_try("try mug on the table", 4, ("object/2",)).end("done", "", 5)
    first.end("done", "found: mug on the table", 5, ("object/2",))
    assert tree.lines() == [
        "[under way] find the mug, then go to the sink",
        "  [done] find mug: found: mug on the table; tried 2 times; see object/2",
        "    [failed] try mug on the shelf: it is not there; see object/1",
        "    [done] try mug on the table: see object/2",
        "  [waiting] find sink",
    ]
    told = json.loads(tree.to_json())
    assert [child["status"] for child in told["children"]] == ["done", "waiting"]
    assert told["children"][0]["retries"] == 1
    assert [t["ended_ns"] for t in told["children"][0]["children"]] == [3, 5]


def test_what_is_under_way_ends_with_the_whole() -> None:
    tree = TaskTree("find the mug", ["find mug"])
    tree.root.begin(1)
    tree.root.children[0].begin(1)
    tried = tree.root.children[0].begin_try("try", 1)
    assert tree.current is tried
    tree.root.end("cancelled", "cancelled", 7)
    assert {tree.root.status, tree.root.children[0].status, tried.status} == {"cancelled"}
    assert tree.current is tree.root


@given(n=st.integers(0, 4 * MAX_TRIES))
def test_a_tree_is_bounded_and_counts_every_retry(n: int) -> None:
    order = TaskTree("find the mug", ["find mug"]).root.children[0]
    for i in range(n):
        order.begin_try(f"try {i}", i).end("failed", "no", i)
    assert len(order.children) == min(n, MAX_TRIES)
    assert order.retries == max(0, n - 1)
    assert order.n_left_out == max(0, n - MAX_TRIES)
    assert not order.children or order.children[-1].what == f"try {n - 1}"
