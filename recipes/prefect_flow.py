"""Prefect: one task for each shop under clients/, at most two at a time, then the page of all shops.

Run it once with `python prefect_flow.py [DATE]`; README.md says how to run it every night.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

from prefect import flow, task, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

CLIENTS = Path("clients")
USELESS_TO_RETRY = (2, 3)  # called wrongly; exports that are missing, damaged or stale stay so until somebody brings better ones


class NotMade(Exception):
    """A report was not made, or not whole; `code` is the exit code of the command."""

    def __init__(self, code: int, said: str):
        self.code = code
        super().__init__(f"exit code {code}\n{said}")


def playbook(shops: list[str], as_of: str) -> None:
    """Call the command; the lines that are not JSON say what is wrong and how to mend it."""
    command = ["loyalty-lab", "playbook", *shops, "--as-of", as_of, "--warm", "--log-json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    if done.returncode:
        raise NotMade(done.returncode, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("{")))


def worth_a_retry(task, run, state) -> bool:
    """Whether another try may end better."""
    return getattr(state.result(raise_on_failure=False), "code", None) not in USELESS_TO_RETRY


@task(task_run_name="{shop}", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_a_retry, log_prints=True)
def report(shop: str, as_of: str) -> None:
    """Make the report of one shop."""
    playbook([shop], as_of)


@task(log_prints=True)
def overview(shops: list[str], as_of: str) -> None:
    """Write the page of all shops. What was made is kept, so that this takes seconds; it fails while any shop is not done."""
    playbook(shops, as_of)


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def reports(as_of: str | None = None) -> None:
    """Make the reports of all shops up to a day, today if none is given."""
    as_of = as_of or date.today().isoformat()
    shops = [str(folder) for folder in sorted(CLIENTS.iterdir()) if folder.is_dir()]
    report.map(shops, as_of=unmapped(as_of)).wait()
    overview(shops, as_of)


if __name__ == "__main__":
    reports(*sys.argv[1:2])
