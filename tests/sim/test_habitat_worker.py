"""The Habitat worker's process and transport, with real processes: nothing here needs habitat_sim."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.geometry import Camera
from loci_sim.habitat import process
from loci_sim.habitat.client import field_of_view
from loci_sim.habitat.process import HabitatError, RefusedError, WorkerDiedError, WorkerProcess, find_python
from loci_sim.habitat.worker import framing
from loci_sim.habitat.worker.frames import Frames, size_of

HERE = Path(__file__).parent
WORKER = Path(framing.__file__).parent


@pytest.fixture
def echo():
    worker = WorkerProcess(sys.executable, module="echo_worker", folder=HERE)
    yield worker
    worker.close()


def bare_environment(folder: Path, *, numpy: bool = False) -> str:
    """A virtual environment with nothing in it, or with this interpreter's numpy."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    if numpy:
        packages = next(folder.glob("lib/python*/site-packages"))
        for part in Path(np.__file__).parents[1].glob("numpy*"):
            (packages / part.name).symlink_to(part)
    return str(folder / "bin" / "python")


# --- what can be missing -------------------------------------------------------------------------------------------------


def test_an_interpreter_that_does_not_exist_is_named_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(HabitatError, match=r"nowhere/python'.* does not exist.*habitat_python.*LOCI_HABITAT_PYTHON"):
        find_python(str(tmp_path / "nowhere" / "python"))


def test_a_name_that_is_not_on_the_path_is_said_to_be_so() -> None:
    with pytest.raises(HabitatError, match="is not on the PATH"):
        find_python("python-of-nobody")


def test_a_file_that_cannot_be_executed_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\n")
    with pytest.raises(HabitatError, match="is not executable"):
        find_python(str(tmp_path / "python"))


def test_a_program_that_is_no_python_is_refused_with_what_it_wrote(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho I am a shell >&2\nexit 7\n")
    program.chmod(0o755)
    with pytest.raises(HabitatError, match=r"(?s)ended at once with status 7.*I am a shell"):
        WorkerProcess(str(program))


def test_a_file_that_is_no_program_at_all_does_not_start(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    with pytest.raises(HabitatError, match="does not start"):
        WorkerProcess(str(program))


def test_an_interpreter_that_never_answers_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(HabitatError, match=r"did not start within 0\.5 s"):
        WorkerProcess(str(program), start_timeout=0.5)


def test_the_real_worker_under_an_interpreter_without_numpy_says_so(tmp_path: Path) -> None:
    python = bare_environment(tmp_path / "env")
    with pytest.raises(
        HabitatError, match=r"No module named 'numpy'; to mend it: .*env/bin/python -m pip install numpy"
    ):
        WorkerProcess(python)


def test_the_real_worker_under_an_interpreter_without_habitat_says_so(tmp_path: Path) -> None:
    python = bare_environment(tmp_path / "env", numpy=True)
    with pytest.raises(HabitatError, match=r"No module named 'habitat_sim'; to mend it: conda create .*habitat-sim"):
        WorkerProcess(python)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__version__ = '0.2.1'", r"0\.3\.0 or newer is needed, this is 0\.2\.1"),
        ("raise OSError('libGL.so.1: cannot open shared object file')", "OSError: libGL.so.1: cannot open"),
        ("import attrs_of_nobody", "needs the package attrs_of_nobody"),
    ],
)
def test_a_habitat_that_is_too_old_or_does_not_load_says_so(tmp_path: Path, text: str, message: str) -> None:
    python = bare_environment(tmp_path / "env", numpy=True)
    package = next((tmp_path / "env").glob("lib/python*/site-packages")) / "habitat_sim"
    package.mkdir()
    (package / "__init__.py").write_text(text + "\n")
    with pytest.raises(HabitatError, match=message):
        WorkerProcess(python)


def test_packages_of_this_interpreter_do_not_reach_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ROS sets PYTHONPATH: for another Python."""
    python = bare_environment(tmp_path / "env")
    monkeypatch.setenv("PYTHONPATH", str(Path(np.__file__).parents[1]))
    with pytest.raises(HabitatError, match="No module named 'numpy'"):
        WorkerProcess(python)


def test_the_interpreter_comes_from_the_environment_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.PYTHON_VARIABLE, sys.executable)
    assert find_python() == sys.executable
    monkeypatch.delenv(process.PYTHON_VARIABLE)
    assert process.default_python() == "python3"


# --- the worker's sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(WORKER.glob("*.py")), ids=lambda f: f.name)
def test_the_worker_is_written_for_python_3_9_and_imports_nothing_of_loci(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    allowed = {*sys.stdlib_module_names, "numpy", "habitat_sim", "magnum", "__future__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in allowed
        # Annotations are text there, everything else runs: zip(strict=) and match came with Python 3.10.
        assert not isinstance(node, ast.Match)
        assert not (isinstance(node, ast.Call) and any(k.arg == "strict" for k in node.keywords))


# --- requests ------------------------------------------------------------------------------------------------------------


def test_a_request_comes_back(echo: WorkerProcess) -> None:
    message = {"do": "say", "text": "Käse", "numbers": [1, 2.5, None, True]}
    assert echo.request(message, 10.0) == message


def test_a_worker_that_dies_in_a_request_is_reported_with_its_signal_and_last_words(echo: WorkerProcess) -> None:
    with pytest.raises(WorkerDiedError, match=r"(?s)ended by signal 9.*something terrible"):
        echo.request({"do": "die"}, 10.0)
    with pytest.raises(WorkerDiedError):
        echo.request({"do": "say"}, 10.0)


def test_a_worker_that_leaves_is_reported_with_its_status(echo: WorkerProcess) -> None:
    with pytest.raises(WorkerDiedError, match="ended with status 3"):
        echo.request({"do": "leave"}, 10.0)


def test_a_worker_that_was_killed_between_requests_is_noticed_at_the_next(echo: WorkerProcess) -> None:
    os.kill(echo.pid, 9)
    with pytest.raises(WorkerDiedError, match="signal 9"):
        echo.request({"do": "say"}, 10.0)


def test_a_worker_that_does_not_answer_is_ended(echo: WorkerProcess) -> None:
    with pytest.raises(WorkerDiedError, match=r"did not answer 'sleep' within 0.3 s and was ended"):
        echo.request({"do": "sleep"}, 0.3)
    assert not Path(f"/proc/{echo.pid}").exists()


@pytest.mark.parametrize("what", ["half", "nonsense"])
def test_an_answer_that_is_no_message_ends_the_worker(echo: WorkerProcess, what: str) -> None:
    with pytest.raises(WorkerDiedError, match="expected"):
        echo.request({"do": what}, 10.0)


def test_refusals_and_failures_leave_the_worker_alive(echo: WorkerProcess) -> None:
    with pytest.raises(RefusedError, match="not today"):
        echo.request({"do": "refuse"}, 10.0)
    with pytest.raises(HabitatError, match="habitat_sim failed at 'fail': ValueError: no"):
        echo.request({"do": "fail"}, 10.0)
    assert echo.request({"do": "say"}, 10.0) == {"do": "say"}


def test_a_closed_worker_leaves_neither_process_nor_files(echo: WorkerProcess) -> None:
    folder = echo.log.parent
    echo.close()
    assert not Path(f"/proc/{echo.pid}").exists()
    assert not folder.exists()


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    script = (
        "import sys; from pathlib import Path; from loci_sim.habitat.process import WorkerProcess\n"
        f"w = WorkerProcess(sys.executable, module='echo_worker', folder=Path({str(HERE)!r})); print(w.pid, flush=True)\n"
        "import os; os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    pid = int(result.stdout)
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{pid}").exists() and "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, "the worker outlives its master"
        time.sleep(0.05)


# --- framing -------------------------------------------------------------------------------------------------------------

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(message=st.dictionaries(st.text(), values, max_size=5), cut=st.integers(1, 7))
def test_every_message_arrives_as_it_was_sent_in_whatever_pieces(message: dict[str, object], cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        framing.send(ours, message)
        ours.shutdown(socket.SHUT_WR)
        sent = b"".join(iter(lambda: theirs.recv(1 << 16), b""))
        again, end = socket.socketpair()
        with again, end:
            pieces = [sent[i : i + cut] for i in range(0, len(sent), cut)]
            sender = threading.Thread(target=lambda: [again.sendall(p) for p in pieces])
            sender.start()
            assert framing.receive(end, 10.0) == message
            sender.join()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\0\0", "expected 4 bytes, got 2"),
        (b"\0\0\0\5{}", "expected 5 bytes, got 2"),
        (b"\0\0\0\2[]", "expected a JSON object"),
        (b'\0\0\0\3{"a', "expected JSON"),
        (b"\xff\xff\xff\xff", "expected a message of at most"),
    ],
)
def test_what_is_no_whole_message_is_refused(raw: bytes, message: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(raw)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(framing.FramingError, match=message):
            framing.receive(theirs, 5.0)


def test_a_message_that_trickles_in_is_not_waited_for_longer_than_asked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"\0\0\0\2{")
        with pytest.raises(TimeoutError, match="expected 2 bytes, got 1 in time"):
            framing.receive(theirs, 0.1)


def test_numbers_that_json_does_not_have_are_not_sent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match="not JSON compliant"):
        framing.send(ours, {"x": float("nan")})


# --- images --------------------------------------------------------------------------------------------------------------


def test_what_one_side_writes_into_the_frames_the_other_side_reads(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(bytes(size_of(5, 3)))
    ours, theirs = Frames(str(path), 5, 3), Frames(str(path), 5, 3)
    theirs.color[1, 2], theirs.depth[2, 4], theirs.ids[0, 0] = (1, 2, 3), 1.5, 70_000
    color, depth, ids = ours.copies()
    assert color.shape == (3, 5, 3) and tuple(color[1, 2]) == (1, 2, 3)
    assert depth.dtype == np.float32 and depth[2, 4] == 1.5
    assert ids.dtype == np.uint32 and ids[0, 0] == 70_000
    theirs.ids[0, 0] = 1
    assert ids[0, 0] == 70_000, "copies stay as they are"


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(bytes(10))
    with pytest.raises(ValueError, match=r"expected 165 bytes .* got 10"):
        Frames(str(tmp_path / "frames"), 5, 3)


def test_cameras_that_habitat_cannot_have_are_refused() -> None:
    assert field_of_view(Camera(100, 50, 50.0, 50.0, 49.5, 24.5)) == pytest.approx(90.0)
    with pytest.raises(ValueError, match="square pixels"):
        field_of_view(Camera(100, 50, 50.0, 60.0, 49.5, 24.5))
    with pytest.raises(ValueError, match="principal point"):
        field_of_view(Camera(100, 50, 50.0, 50.0, 40.0, 24.5))
    with pytest.raises(ValueError, match="without distortion"):
        field_of_view(Camera(100, 50, 50.0, 50.0, 49.5, 24.5, (0.1,), "plumb_bob"))
