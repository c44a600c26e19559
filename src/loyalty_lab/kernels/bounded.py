"""How papermill runs our notebooks: in a folder of their own without changing to it, with a bound on what a notebook may print, and
without the waits that Jupyter adds to each of them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Any

import nbformat
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Type

NAME = "loyalty-lab"
MOST_PRINTED = 20_000_000
QUIET = ["--IPKernelApp.log_level=CRITICAL", "--HistoryManager.enabled=False"]
# Seconds between two looks whether the kernel has ended, and until it is asked anew whether it is there.
LOOK, ASK = 0.01, 0.25


class PrintedTooMuch(Exception):
    """A notebook printed without end; its kernel was stopped."""


class Attentive(AsyncKernelClient):
    """Takes a kernel for ready once it has told on both channels that it is; Jupyter's own client then waits to see whether more comes."""

    def _context_default(self) -> Any:
        context = super()._context_default()
        context.reconnect_ivl = int(LOOK * 1000)  # milliseconds: the kernel opens its channels only after we have tried them
        return context

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        until, asked = monotonic() + (timeout or float("inf")), {self.kernel_info()}
        while not await self._idle_after(asked):
            if not await self.is_alive():
                raise DeadKernelError("the kernel died before it was ready")
            if monotonic() > until:
                raise DeadKernelError(f"the kernel was not ready in {timeout} seconds")
            asked.add(self.kernel_info())
        await self.get_shell_msg(timeout=timeout)

    async def _idle_after(self, asked: set[str]) -> bool:
        """Whether the kernel says on its broadcast, before it has been silent for a while, that it has answered one of ours."""
        with suppress(Empty):
            while message := await self.get_iopub_msg(timeout=ASK):
                if message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") in asked:
                    return True
        return False


class Keeper(AsyncKernelManager):
    """Sees a kernel's end as soon as it comes, where Jupyter's own manager looks ten times a second."""

    client_factory = Type(Attentive)

    async def _async_finish_shutdown(self, waittime: float | None = None, pollinterval: float = LOOK, restart: bool = False) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)


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
        client = Client(
            nb_man, kernel_manager_class=Keeper, kernel_name=kernel_name, timeout=timeout, resources={"metadata": {"path": folder}},
            extra_arguments=QUIET,
        )  # fmt: skip
        try:
            return client.execute()
        except (DeadKernelError, CellTimeoutError) as error:
            nbformat.write(nb_man.nb, unfinished)
            if client.printed <= MOST_PRINTED:
                raise
            raise PrintedTooMuch(f"more than {MOST_PRINTED // 1_000_000} MB") from error


papermill_engines.register(NAME, Engine)
