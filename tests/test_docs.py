"""The documents say what is true: commands run as printed, files that are named exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import loyalty_lab

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"]


def console() -> list[tuple[str, str]]:
    """Commands of the README's console blocks, each with the output printed below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def test_the_commands_of_the_readme_print_what_the_readme_says(command, tmp_path):
    shown = console()
    assert len(shown) >= 5
    for line, output in shown:
        done = command(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout.rstrip() == output.rstrip(), line


def test_every_command_stands_in_the_readme(command):
    listed = re.findall(r"^[│ ]+(demo|new|check|playbook|tactics|\w+)  ", command("--help").stdout, re.MULTILINE)
    assert set(listed) >= {"demo", "new", "check", "playbook", "tactics"}
    for name in set(listed):
        assert f"loyalty-lab {name}" in README


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_names_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    named = [path for path in re.findall(r"`((?:src|tests|playbook|notebooks|data|benchmarks)/[\w./-]+)`", text) if "<" not in path]

    for path in links:
        assert ((ROOT / name).parent / path).exists(), path
    for path in named:
        assert (ROOT / path).exists() or "demo/" in path, path


def test_the_changelog_speaks_of_this_version():
    assert f"## {loyalty_lab.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_makefile_explains_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", text, re.MULTILINE)

    assert {"help", "setup", "playbook", "test", "check", "notebooks", "lock"} <= set(targets)
    assert targets == re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE)
