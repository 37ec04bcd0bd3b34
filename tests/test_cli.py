"""The command line answers quickly, says what to type next, and never shows a traceback for what the user can mend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from loci.cli import build_parser, main
from synthetic import ROOM, tour


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved memory of a round through a room."""
    from loci.memory import RobotMemory

    path = tmp_path_factory.mktemp("memories") / "lab"
    with RobotMemory.open(path, map_id="lab") as opened:
        for observation in tour():
            opened.observe(observation)
    return path


def test_help_comes_without_heavy_imports() -> None:
    code = (
        "import sys, loci.cli; loci.cli.build_parser().format_help(); "
        "heavy = {'numpy', 'torch', 'cv2', 'rclpy', 'open3d', 'tqdm'} & set(sys.modules); assert not heavy, heavy"
    )
    source = str(Path(__file__).parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source + os.pathsep + os.environ.get("PYTHONPATH", "")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


COMMANDS = [
    "demo",
    "replay",
    "query",
    "info",
    "export",
    "import-graph",
    "import-map",
    "mcp",
    "replay-trace",
    "check",
    "repair",
    "backup",
    "archive",
    "unarchive",
    "merge",
    "explain",
    "forget",
    "train-tokens",
    "sim",
    "sim scenes",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert f"loci {command}" in capsys.readouterr().out.split("example")[1]


@pytest.mark.parametrize(
    ("speed", "factor"), [("full", 0.0), ("recorded", 1.0), ("2.5", 2.5), ("0", None), ("-1", None), ("fast", None)]
)
def test_speeds(speed: str, factor: float | None) -> None:
    if factor is None:
        with pytest.raises(SystemExit):
            build_parser().parse_args(["replay", "x", "--speed", speed])
    else:
        assert build_parser().parse_args(["replay", "x", "--speed", speed]).speed == factor


@pytest.mark.parametrize(
    ("arguments", "message", "next_command"),
    [
        (["query", "nowhere", "mug"], "no memory 'nowhere'", "loci "),
        (["info", "nowhere"], "no memory", "loci "),
        (["export", "nowhere", "--out", "x"], "no memory", "loci "),
        (["import-map", "nowhere.bt", "x"], "no file nowhere.bt", "loci "),
        (["query", "{memory}"], "nothing asked", "loci query"),
        (["query", "{memory}", "--near", "1,2"], "expected 4 numbers", "--near"),
        (["query", "{memory}", "--near", "0,0,0,-1"], "expected a radius > 0", "loci query --help"),
        (["query", "{memory}", "--kind", "dragon"], "expected kinds among", "loci query --help"),
        (["query", "{memory}", "--image", "no.jpg"], "cannot read the picture", "loci query"),
        (["query", "{memory}", "mug", "--limit", "5000"], "expected a limit from 1 to 1000", "loci query --help"),
        (["replay", "no/recording"], "no recording at", "loci replay"),
        (["replay", "{memory}"], "Expected one of these", "loci replay"),
        (["replay", "x", "--intrinsics", "1,2"], "expected 6 numbers", "loci replay"),
        (["replay", "x", "--extrinsic", "0,0,0,0,0,0,0"], "quaternion of norm 1", "loci replay"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_command(
    memory: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, next_command: str
) -> None:
    assert main([a.format(memory=memory) for a in arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert next_command in error.split("try:")[1]
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["demo"], ["sim", "scenes", "list"], ["eval", "goals"], ["eval", "goat", "--data", "x"]]
)
def test_without_the_simulator_it_is_said_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "loci_sim"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "loci_sim", None)  # cannot be imported
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "the simulator cannot be imported" in error
    assert "pip install 'loci[sim]'" in error


def test_a_question_is_answered_with_evidence(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", str(memory), "where is the mug?"]) == 0
    printed = capsys.readouterr().out
    assert "mug" in printed.splitlines()[0]
    assert "confidence" in printed.splitlines()[0]
    assert "object/" in printed


def test_a_memory_is_found_by_its_name(
    memory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCI_HOME", str(memory.parent))
    assert main(["info", "lab"]) == 0
    assert "mug" in capsys.readouterr().out
    assert main(["info", "lob"]) == 1
    assert "known are: lab" in capsys.readouterr().err


def test_conditions_narrow_what_is_recalled(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", str(memory), "--label", "chair", "--kind", "object", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {e["label"] for e in document["evidence"]} == {"chair"}
    position = document["evidence"][0]["position"]
    near = ",".join(str(v) for v in (*position, 0.1))
    assert main(["query", str(memory), "--kind", "object", "--near", near, "--json"]) == 0
    assert [e["label"] for e in json.loads(capsys.readouterr().out)["evidence"]] == ["chair"]


def test_first_last_and_between_are_order_and_times(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stamps(*arguments: str) -> list[int]:
        assert main(["query", str(memory), "mug", "--kind", "keyframe", "--json", *arguments]) == 0
        return [e["stamp_ns"] for e in json.loads(capsys.readouterr().out)["evidence"]]

    everything = stamps("--order", "oldest", "--limit", "1000")
    assert everything == sorted(everything)
    assert stamps("--order", "newest", "--limit", "1") == everything[-1:]
    assert stamps("--order", "oldest", "--limit", "1") == everything[:1]
    assert stamps("--order", "oldest", "--limit", "2", "--offset", "1") == everything[1:3]
    second = everything[0] + 10**9
    between = [s for s in everything if second <= s < second + 2 * 10**9]
    assert 0 < len(between) < len(everything)
    assert stamps("--after", "1", "--before", "3", "--order", "oldest") == between
    assert main(["query", str(memory), "mug", "--after", "3", "--before", "1"]) == 1
    assert "expected after < before" in capsys.readouterr().err


def test_what_somebody_wrote_is_printed_as_a_quotation(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from loci.memory import RobotMemory

    assert main(["backup", str(memory), str(tmp_path / "told")]) == 0
    with RobotMemory.open(tmp_path / "told", map_id="lab") as opened:
        opened.observe(tour(start_ns=10**12)[0])
        opened.remember("the mug is in the bath", "visitor")
    assert main(["query", str(tmp_path / "told"), "mug bath", "--kind", "episode"]) == 0
    printed = capsys.readouterr().out
    assert '"the mug is in the bath", says visitor' in printed
    assert "contradicted: object/" in printed


def test_a_picture_is_a_question(memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "seen.png"
    first = tour()[0].frame
    cv2.imwrite(str(picture), cv2.cvtColor(first.color, cv2.COLOR_RGB2BGR))
    query = ["query", str(memory), "--image", str(picture), "--kind", "keyframe", "--json", "--save-images"]
    assert main([*query, str(tmp_path / "found")]) == 0
    best = json.loads(capsys.readouterr().out)["evidence"][0]
    assert best["stamp_ns"] == first.stamp_ns
    assert best["score"] > 0.9
    assert list((tmp_path / "found").glob("keyframe-*.jpg"))


def test_a_query_changes_nothing(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.stat().st_mtime_ns for p in memory.rglob("*") if p.is_file() and "sqlite" not in p.name}
    assert main(["query", str(memory), "mug"]) == 0
    after = {p: p.stat().st_mtime_ns for p in memory.rglob("*") if p.is_file() and "sqlite" not in p.name}
    assert before == after


def test_info_counts_what_is_there(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(memory), "--json", "--graph"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["map_id"] == "lab"
    assert document["statistics"]["keyframes"] > 10
    assert document["objects_by_label"] == {box.label: 1 for box in ROOM.boxes}
    assert "mug" in document["scene_graph"]


def test_an_export_does_not_overwrite(memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "exported"
    assert main(["export", str(memory), "--out", str(out), "--report"]) == 0
    assert (out / "index.html").is_file()
    assert any(out.rglob("*.json"))
    capsys.readouterr()
    assert main(["export", str(memory), "--out", str(out)]) == 1
    assert "not empty" in capsys.readouterr().err


def test_a_map_goes_out_as_octomap_and_comes_back_into_another_memory(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def export(name: str, file: str) -> bytes:
        assert main(["export", name, "--format", file.split(".")[-1], "--out", str(tmp_path / file)]) == 0
        return (tmp_path / file).read_bytes()

    exported = {kind: export(str(memory), f"first.{kind}") for kind in ("bt", "ot", "ply")}
    for kind in ("bt", "ot"):
        copy = str(tmp_path / f"copy-{kind}")
        assert main(["import-map", str(tmp_path / f"first.{kind}"), copy, "--map-id", "lab"]) == 0
        assert "in map lab" in capsys.readouterr().out
        assert export(copy, f"second-{kind}.{kind}") == exported[kind]
        header, points = export(copy, f"third-{kind}.ply").split(b"end_header\n")
        assert header == exported["ply"].split(b"end_header\n")[0] and len(points) > 1000
        assert main(["import-map", str(tmp_path / f"first.{kind}"), copy]) == 0  # again, into the same map
        assert export(copy, f"again-{kind}.{kind}") == exported[kind]
    assert main(["export", str(memory), "--format", "bt", "--out", str(tmp_path / "first.bt")]) == 1
    assert "exists" in capsys.readouterr().err
    (tmp_path / "broken.bt").write_bytes(exported["bt"][:-3])
    assert main(["import-map", str(tmp_path / "broken.bt"), str(tmp_path / "copy-bt")]) == 1
    assert "the file ends within node" in capsys.readouterr().err
    assert export(str(tmp_path / "copy-bt"), "last.bt") == exported["bt"]


def test_a_memory_is_checked_copied_archived_and_merged(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from loci.memory import RobotMemory

    monkeypatch.setenv("LOCI_HOME", str(tmp_path / "memories"))
    assert main(["check", str(memory)]) == 0
    assert main(["backup", str(memory), "copy"]) == 0
    assert main(["archive", "copy", str(tmp_path / "copy.tar.zst")]) == 0
    assert main(["unarchive", str(tmp_path / "copy.tar.zst"), "again"]) == 0
    assert main(["check", "again"]) == 0
    assert main(["unarchive", str(tmp_path / "copy.tar.zst"), "again"]) == 1
    assert "exists" in capsys.readouterr().err
    with RobotMemory.open(memory, read_only=True) as opened:
        before = {o.label: o.center for o in opened.objects()}
    assert main(["merge", "again", "copy", "--transform", "10,0,0,0,0,0,1"]) == 0
    assert "keyframes" in capsys.readouterr().out
    with RobotMemory.open(tmp_path / "memories" / "again", read_only=True) as opened:
        mugs = sorted(float(o.center[0]) for o in opened.objects() if o.label == "mug")
        assert mugs == pytest.approx([before["mug"][0], before["mug"][0] + 10.0], abs=1e-6)
        assert all(o.map_id == opened.map_id for o in opened.objects())
    with pytest.raises(SystemExit):
        main(["merge", "again", "copy", "--transform", "1,2"])


def test_why_is_told_and_what_is_forgotten_is_in_no_file(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from loci.memory import RobotMemory

    monkeypatch.setenv("LOCI_HOME", str(tmp_path))
    assert main(["backup", str(memory), "home"]) == 0
    with RobotMemory.open(tmp_path / "home", map_id="lab") as opened:
        note = opened.remember("the safe opens with zanzibar-4711", "Ada", pinned=True)
        assert main(["forget", "home", note]) == 1  # somebody writes to it
        assert f"pid {os.getpid()} " in capsys.readouterr().err
    assert main(["explain", "home", note]) == 0
    assert capsys.readouterr().out == f"{note} is kept: it is pinned\n"
    assert main(["forget", "home", note, "episode/9999"]) == 1
    assert "episode/9999" in capsys.readouterr().err
    assert main(["forget", "home", note]) == 0
    assert "1 forgotten" in capsys.readouterr().out
    assert not any(b"zanzibar" in file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())
    assert main(["explain", "home", note]) == 0
    assert capsys.readouterr().out == f"{note} is no more: somebody asked to forget it\n"
    assert main(["explain", "home", "episode/9999"]) == 1
    assert "try: loci query home" in capsys.readouterr().err


def test_a_damaged_memory_is_named_and_repaired_and_the_next_command_is_said(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(memory), str(tmp_path / "lab")]) == 0
    lab = str(tmp_path / "lab")
    image = next((tmp_path / "lab" / "blobs").glob("*/*"))
    image.write_bytes(b"changed")
    assert main(["check", lab]) == 1
    said = capsys.readouterr()
    assert "1 are not what was written" in said.out
    assert f"try: loci repair {lab}" in said.err
    assert main(["repair", lab]) == 0
    said = capsys.readouterr()
    assert "set aside in" in said.out
    assert f"next: loci info {lab}" in said.out
    assert main(["check", lab]) == 0
    (tmp_path / "lab" / "manifest.json").unlink()
    assert main(["check", lab]) == 1
    assert main(["repair", lab]) == 0
    assert main(["check", str(tmp_path / "nothing")]) == 1
    assert "no memory" in capsys.readouterr().err
