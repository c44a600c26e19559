"""pyproject.toml, environment.yml and requirements.lock speak of the same packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"] + PROJECT["optional-dependencies"]["test"]


def name_of(requirement: str) -> str:
    return re.match(r"[\w-]+", requirement).group().lower().replace("_", "-")


def test_the_conda_environment_lists_what_the_project_asks_for():
    listed = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)

    assert [line for line in listed if not line.startswith("--")] == WANTED


def test_the_lock_pins_everything_the_project_asks_for_with_hashes():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))

    assert {name_of(requirement) for requirement in WANTED} <= {name.lower().replace("_", "-") for name in pinned}
    assert len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) == len(re.findall(r"==.*\\\n    --hash", text))


def test_the_lock_names_no_index():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text


def test_the_supported_pythons_agree():
    versions = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]

    assert versions == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
