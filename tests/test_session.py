"""A session has a domain of its own, tells which process died and why, and leaves the environment as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loci.errors import UserError
from loci.session import DOMAINS, Domain, Session, tail
from loci.up import Process


@pytest.fixture
def broken(tmp_path: Path) -> Session:
    """A session whose only process cannot start."""
    return Session([Process("broken", "loci.there_is_no_such_module")], tmp_path, retry="loci replay again")


def test_a_process_that_dies_is_told_with_its_log_and_the_next_command(broken: Session) -> None:
    with broken, pytest.raises(UserError, match="broken ended with status 1") as caught:
        broken.wait_for(lambda: False, "the impossible", 30.0)
    assert "there_is_no_such_module" in caught.value.details
    assert caught.value.next_command == "loci replay again"


def test_what_takes_too_long_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    def ready() -> bool:
        raise TimeoutError("still compiling")

    with (
        Session([Process("sleeper", "sleeper")], tmp_path) as session,
        pytest.raises(UserError, match=r"the wait took longer than 0 s: still compiling"),
    ):
        session.wait_for(ready, "the wait", 0.2, "sleeper")


def test_the_domain_holds_inside_only(monkeypatch: pytest.MonkeyPatch, broken: Session) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)
    with broken:
        assert int(os.environ["ROS_DOMAIN_ID"]) == broken.domain
        assert broken.domain in DOMAINS
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert os.environ["ROS_DOMAIN_ID"] == "7"
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in os.environ


def test_no_two_sessions_share_a_domain_and_one_that_is_given_back_can_be_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    taken = [Domain() for _ in DOMAINS]
    assert sorted(d.number for d in taken) == list(DOMAINS)
    with pytest.raises(UserError, match=f"all {len(DOMAINS)} ROS domains are taken"):
        Domain()
    taken[5].close()
    again = Domain()
    assert again.number == taken[5].number
    for domain in (*taken, again):
        domain.close()


def test_a_session_that_has_not_begun_has_no_domain(broken: Session) -> None:
    with pytest.raises(RuntimeError, match="has not begun"):
        _ = broken.domain


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert "no log" in tail(log)
    log.write_text("")
    assert tail(log) == "(the log is empty)"
    log.write_text("\n".join(map(str, range(100))))
    assert tail(log, 2) == "98\n99"
