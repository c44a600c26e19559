"""The wheel, installed into an empty environment, prints a playbook outside the clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def call(*words, cwd, **more):
    return subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=900, **more)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A fresh environment that holds the wheel and what the wheel asks for, at the versions of the lock."""
    place = tmp_path_factory.mktemp("wheel")
    built = call(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT, cwd=place)
    assert built.returncode == 0, built.stderr
    pins = re.findall(r"^([\w.-]+==[^\\\n]+?)\s*\\$", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    (place / "pins.txt").write_text("\n".join(pins), encoding="utf-8")
    assert call(sys.executable, "-m", "venv", place / "env", cwd=place).returncode == 0
    wheel = next(place.glob("*.whl"))
    done = call(place / "env" / "bin" / "pip", "install", "--quiet", "--no-compile", "-c", "pins.txt", wheel, cwd=place)
    if done.returncode and "loyalty" not in done.stderr.splitlines()[-1]:
        pytest.skip(f"the packages cannot be fetched here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return place / "env" / "bin"


def test_the_wheel_prints_a_playbook_outside_the_clone(installed, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    tool = installed / "loyalty-lab"
    assert call(tool, "demo", "demo", cwd=tmp_path, env=clean).returncode == 0
    done = call(tool, "playbook", "demo", "--only", "answer-fast", "--language", "hy", cwd=tmp_path, env=clean)

    assert done.returncode == 0, done.stderr
    report = tmp_path / "demo" / "reports" / "2026-10-31"
    assert (report / "playbook-hy.pdf").read_bytes().startswith(b"%PDF")
    assert (report / "notebooks" / "tactics" / "09-answer-fast.ipynb").exists()
