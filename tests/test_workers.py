"""A process that is killed costs what it was doing; work that kills every process is named, and all other work is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loyalty_lab import workers

needs_kill = pytest.mark.skipif(os.name != "posix", reason="kills processes by signal")


def die_once(place: str, name: str) -> str:
    """Die at the first try, answer at the second."""
    tried = Path(place) / name
    if not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def die_if_bad(name: str) -> str:
    if name == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def where(_: int) -> int:
    return os.getpid()


def fail(_: int) -> int:
    raise KeyError("a fault in the work itself")


@needs_kill
def test_whoever_kills_every_process_is_named_and_the_others_are_done():
    asked = {name: (name,) for name in ("bad", *"abcdefgh")}

    answers = dict(workers.side_by_side(die_if_bad, asked, jobs=2))

    assert isinstance(answers.pop("bad"), workers.Lost)
    assert answers == {name: name for name in "abcdefgh"}


@needs_kill
def test_work_whose_process_was_killed_by_chance_is_done_again(tmp_path):
    asked = {"a": (str(tmp_path), "a")}

    assert dict(workers.side_by_side(die_once, asked, jobs=2)) == {"a": "a"}


def test_one_job_works_here_and_two_elsewhere():
    assert dict(workers.side_by_side(where, {0: (0,)}, jobs=1)) == {0: os.getpid()}
    assert os.getpid() not in dict(workers.side_by_side(where, {0: (0,), 1: (1,)}, jobs=2)).values()


def test_a_fault_of_the_work_itself_is_not_tried_again():
    with pytest.raises(KeyError, match="a fault in the work itself"):
        dict(workers.side_by_side(fail, {0: (0,), 1: (1,)}, jobs=2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux ends a process with its parent")
def test_processes_do_not_outlive_a_driver_that_is_killed(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_workers as t\nfrom loyalty_lab import workers\n"
        "dict(workers.side_by_side(t.wait, {0: (sys.argv[2], 'a'), 1: (sys.argv[2], 'b')}, 2))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)])
    try:
        while not all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in "ab"):
            assert driver.poll() is None
            time.sleep(0.05)
        pids = [int((tmp_path / name).read_text()) for name in "ab"]
    finally:
        driver.kill()
        driver.wait()
    ended = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < ended:
        time.sleep(0.05)

    assert not [pid for pid in pids if alive(pid)]


def wait(place: str, name: str) -> None:
    """Say who works, and work for a long time."""
    (Path(place) / name).write_text(str(os.getpid()))
    time.sleep(60)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
