"""How papermill runs our notebooks: in a folder of their own without changing to it, and with a bound on what a notebook may print."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

NAME = "loyalty-lab"
MOST_PRINTED = 20_000_000
QUIET = ["--IPKernelApp.log_level=CRITICAL"]


class PrintedTooMuch(Exception):
    """A notebook printed without end; its kernel was stopped."""


class Client(PapermillNotebookClient):
    """Counts what comes from the kernel, and stops it before this process is full of it."""

    printed = 0

    def process_message(self, msg: dict[str, Any], *more: Any, **named: Any) -> Any:
        self.printed += len(str(msg["content"]))
        if self.printed <= MOST_PRINTED:
            return super().process_message(msg, *more, **named)
        with suppress(ProcessLookupError):
            os.kill(self.km.provisioner.pid, signal.SIGKILL)
        return None


class Engine(NBClientEngine):
    """papermill's own engine with that client; `folder` is where the kernel works.

    papermill itself keeps a notebook in which a cell failed, and drops one whose kernel died or took too long: that is written to
    `unfinished`.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, folder: str, timeout: int, unfinished: str, **_: Any) -> Any:
        client = Client(nb_man, kernel_name=kernel_name, timeout=timeout, resources={"metadata": {"path": folder}}, extra_arguments=QUIET)
        try:
            return client.execute()
        except (DeadKernelError, CellTimeoutError) as error:
            nbformat.write(nb_man.nb, unfinished)
            if client.printed <= MOST_PRINTED:
                raise
            raise PrintedTooMuch(f"more than {MOST_PRINTED // 1_000_000} MB") from error


papermill_engines.register(NAME, Engine)
