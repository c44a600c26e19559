"""Airflow: one mapped task for each shop under clients/, at most two at a time, then the page of all shops.

The folder of the shops is named by the variable LOYALTY_LAB_SHOPS of the worker's environment.
"""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

CLIENTS = Path(os.environ.get("LOYALTY_LAB_SHOPS", "clients"))
USELESS_TO_RETRY = (2, 3)  # called wrongly; exports that are missing, damaged or stale stay so until somebody brings better ones


def playbook(shops: list[str], as_of: str) -> None:
    """Call the command; the lines that are not JSON say what is wrong and how to mend it."""
    command = ["loyalty-lab", "playbook", *shops, "--as-of", as_of, "--warm", "--log-json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    if done.returncode:
        failure = AirflowFailException if done.returncode in USELESS_TO_RETRY else AirflowException
        said = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("{"))
        raise failure(f"exit code {done.returncode}\n{said}")


def day(dag_run) -> str:
    """The day a run stands for, in UTC; one started by hand may have no logical date."""
    return (dag_run.logical_date or dag_run.run_after).date().isoformat()


@dag(schedule="30 23 * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def loyalty_lab():
    """Make the reports of all shops."""

    @task
    def shops() -> list[str]:
        return [str(folder) for folder in sorted(CLIENTS.iterdir()) if folder.is_dir()]

    @task(retries=1, retry_delay=timedelta(minutes=1), max_active_tis_per_dag=2, map_index_template="{{ task.op_kwargs['shop'] }}")
    def report(shop: str, dag_run=None) -> None:
        playbook([shop], day(dag_run))

    @task(trigger_rule="all_done")
    def overview(shops: list[str], dag_run=None) -> None:
        """What was made is kept, so that this takes seconds. It fails while any shop is not done, and with it the whole run."""
        playbook(list(shops), day(dag_run))

    found = shops()
    report.expand(shop=found) >> overview(found)


loyalty_lab()
