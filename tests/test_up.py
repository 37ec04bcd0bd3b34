"""Processes: started in order, logged, stopped cleanly, and reported with the end of their log when they die."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import loci.up
from loci.errors import UserError
from loci.up import Process, Processes, build_parser, camera_remappings, processes_of

ROOT = Path(__file__).parents[1]
SCRIPTS = {
    # Says when it was told to stop.
    "polite": """
        import signal, sys, time
        def stop(*_):
            print("stopping", time.monotonic(), flush=True)
            sys.exit(0)
        signal.signal(signal.SIGINT, stop)
        print("ready", sys.argv[1:], flush=True)
        time.sleep(60)
    """,
    "stubborn": """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
    """,
    "deaf": """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
    """,
    "failing": """
        print("first line", flush=True)
        raise RuntimeError("no camera")
    """,
}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Processes]:
    """Start scripts by name as processes."""
    for name, script in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text("\n".join(line[8:] for line in script.splitlines()))
    monkeypatch.chdir(tmp_path)  # `python -m` finds modules here
    monkeypatch.setattr(loci.up, "STOP_TIMEOUTS", ((signal.SIGINT, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)))

    def start(*processes: str | Process, echo: bool = False) -> Processes:
        made = [p if isinstance(p, Process) else Process(p, p) for p in processes]
        return Processes(made, tmp_path / "logs", echo=echo)

    return start


def wait_for(log: Path, text: str, timeout: float = 20.0) -> str:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if log.is_file() and text in log.read_text():
            return log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"no {text!r} in {log}")


def test_processes_are_stopped_cleanly_in_reverse_order(make: Callable[..., Processes]) -> None:
    with make(Process("first", "polite"), Process("second", "polite")) as processes:
        for name in ("first", "second"):
            wait_for(processes.logs / f"{name}.log", "ready")
        processes.check()
    first, second = (float(wait_for(processes.logs / f"{n}.log", "stopping").split()[-1]) for n in ("first", "second"))
    assert second < first


@pytest.mark.parametrize(("name", "killed"), [("polite", []), ("stubborn", []), ("deaf", ["deaf"])])
def test_who_does_not_listen_is_told_harder(make: Callable[..., Processes], name: str, killed: list[str]) -> None:
    processes = make(name)
    wait_for(processes.logs / f"{name}.log", "ready")
    assert processes.stop() == killed


def test_a_process_that_died_is_reported_with_the_end_of_its_log(make: Callable[..., Processes]) -> None:
    with make("polite", "failing") as processes:
        wait_for(processes.logs / "failing.log", "RuntimeError")
        time.sleep(1.0)  # its last line is out; let it end
        with pytest.raises(UserError, match=r"failing ended with status 1; its log is .*failing\.log") as raised:
            processes.check()
    assert raised.value.details.startswith("first line")
    assert raised.value.details.endswith("RuntimeError: no camera\n")


def test_lines_are_shown_with_the_name_in_front(
    make: Callable[..., Processes], capsys: pytest.CaptureFixture[str]
) -> None:
    with make("polite", "stubborn", echo=True) as processes:
        for name in ("polite", "stubborn"):
            wait_for(processes.logs / f"{name}.log", "ready")
    shown = capsys.readouterr().out
    assert "[polite  ] ready" in shown
    assert "[stubborn] ready" in shown


def test_parameters_keep_their_types_on_the_command_line() -> None:
    process = Process(
        "p", "m", [Path("/c.yaml")], {"name": "1", "rate": 2.0, "flag": True, "T": [0.0, 1.0]}, {"a": "/b"}, "/ns/"
    )
    ros = process.command()[process.command().index("--ros-args") + 1 :]
    assert ros == [
        *("--params-file", "/c.yaml"),
        *("-p", 'name:="1"', "-p", "rate:=2.0", "-p", "flag:=true", "-p", "T:=[0.0, 1.0]"),
        *("-r", "a:=/b", "-r", "__ns:=/ns"),
    ]


def test_camera_info_lies_beside_the_image_unless_it_is_given() -> None:
    remappings = camera_remappings({"color": "/cam/rgb/image_raw", "depth": "/cam/depth/image", "depth_info": "/info"})
    assert remappings["color/image"] == "/cam/rgb/image_raw"
    assert remappings["color/image/compressed"] == "/cam/rgb/image_raw/compressed"
    assert remappings["color/camera_info"] == "/cam/rgb/camera_info"
    assert remappings["depth/camera_info"] == "/info"
    assert camera_remappings({}) == {}


def test_what_is_not_given_is_left_to_the_parameter_files() -> None:
    for process in processes_of(build_parser().parse_args(["--config", str(ROOT / "config")])):
        assert not process.parameters
        assert not process.remappings
        assert process.configs == [ROOT / f"config/{process.name}.yaml"]


def test_a_missing_parameter_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no parameter file .*memory\.yaml"):
        processes_of(build_parser().parse_args(["--config", str(tmp_path)]))
