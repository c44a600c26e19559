"""What every test may ask for: the shared real data (or a skip), and a demo shop on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data():
    """Return a function that finds a real data file, or skips the test where it is not at hand."""
    folder = Path(os.environ.get("LOYALTY_LAB_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"needs {name} in the folder named by LOYALTY_LAB_DATA")
        return path

    return find


@pytest.fixture(scope="session")
def demo_shop(tmp_path_factory) -> Path:
    """A folder with the demo shop, as `loyalty-lab demo` makes it."""
    from loyalty_lab import demo

    folder = tmp_path_factory.mktemp("shops") / "demo"
    demo.write(demo.make(), folder)
    return folder


@pytest.fixture(scope="session")
def command():
    """Return a function that runs the installed `loyalty-lab` and gives its exit code, output and errors.

    With variables of the environment and on certain cores, where asked for.
    """
    import subprocess
    import sys

    tool = Path(sys.executable).parent / "loyalty-lab"

    def run(*words, cwd=None, env=None, cores=None):
        narrow = (lambda: os.sched_setaffinity(0, cores)) if cores and hasattr(os, "sched_setaffinity") else None
        asked = {"capture_output": True, "text": True, "cwd": cwd, "env": os.environ | (env or {}), "timeout": 900, "preexec_fn": narrow}
        return subprocess.run([str(tool), *map(str, words)], **asked)

    return run


@pytest.fixture(scope="session")
def demo_report(demo_shop, command) -> Path:
    """The demo shop's whole report in four languages, made by the installed command, with warm kernels where they can be had."""
    done = command("playbook", demo_shop, "--warm")
    assert done.returncode == 0, done.stderr
    return demo_shop / "reports" / "2026-10-31"
