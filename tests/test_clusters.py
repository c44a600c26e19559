"""A Dask cluster: what is wrong with it is told before anything is sent there, and a worker that is killed costs what it was doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loyalty_lab import clusters, workers
from loyalty_lab.errors import UsageError

HERE = str(Path(__file__).parent)


def test_dask_and_its_scheduler_go_together():
    for backend, scheduler in (("dask", None), ("loky", "tcp://127.0.0.1:1")):
        with pytest.raises(UsageError, match="go together"), clusters.connected(backend, scheduler):
            pass


def test_without_dask_the_remedy_is_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as said, clusters.connected("dask", "tcp://127.0.0.1:1"):
        pass

    assert said.value.remedy == "pip install 'loyalty_lab[dask]'"


@pytest.fixture(scope="module")
def distributed():
    return pytest.importorskip("distributed", reason="needs pip install 'loyalty_lab[dask]'")


def start(*words: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([HERE, *sys.path])}
    return subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def scheduler(distributed, tmp_path_factory):
    """The address of a scheduler with two workers, each a process of its own."""
    place, folder = tmp_path_factory.mktemp("dask"), tmp_path_factory.mktemp("dask") / "scheduler.json"
    told = ["--scheduler-file", str(folder)]
    running = [start("distributed.cli.dask_scheduler", *told, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    running += [
        start("distributed.cli.dask_worker", *told, "--nthreads", "1", "--no-dashboard", "--local-directory", str(place)) for _ in "ab"
    ]
    try:
        with distributed.Client(scheduler_file=str(folder), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address
    finally:
        for process in reversed(running):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_named_within_seconds(distributed, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE_SECONDS", 1)
    with pytest.raises(UsageError, match=r"'tcp://127\.0\.0\.1:9' does not answer"), clusters.connected("dask", "tcp://127.0.0.1:9"):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_worker_with_another_version_is_named(scheduler, monkeypatch):
    monkeypatch.setattr(clusters, "__version__", "9.9.9")
    with pytest.raises(UsageError, match=r"the worker tcp://127.0.0.1:\d+ has [\d.]+, not 9.9.9"), clusters.connected("dask", scheduler):
        pass


def die_once(place: str, name: str) -> int:
    """Where one of the workers is killed in the middle of the work, and the work is tried again."""
    tried = Path(place) / name
    if name == "b" and not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_costs_what_it_was_doing(scheduler, tmp_path):
    asked = {name: (str(tmp_path), name) for name in "abcdef"}
    with clusters.connected("dask", scheduler) as cores:
        answers = dict(workers.side_by_side(die_once, asked, cores, "dask"))

    assert cores == 2
    assert set(answers) == set("abcdef")
    assert not [answer for answer in answers.values() if isinstance(answer, workers.Lost)]
    assert os.getpid() not in answers.values()
