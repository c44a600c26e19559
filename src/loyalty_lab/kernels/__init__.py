"""Warm kernels: forked from one process that has imported everything, so that a notebook costs its own work. Linux only."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from jupyter_client.provisioning import LocalProvisioner

NAME = "loyalty-lab-warm"
SPECS = Path(__file__).parent / "jupyter"


class Forked:
    """A forked kernel, as much of `subprocess.Popen` as its keeper asks for; the nursery's child, so its exit code is not ours to see."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid, self.returncode, self._handle = pid, None, os.pidfd_open(pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            os.close(self._handle)
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        if self.returncode is None and not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.poll()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that kernels are forked from: one for each process that runs notebooks, started with the first of them."""

    _here: ClassVar[Nursery | None] = None
    _opening: ClassVar[Lock] = Lock()

    def __init__(self) -> None:
        self.owner, self._asking = os.getpid(), Lock()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-m", "loyalty_lab.kernels.nursery", str(theirs.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            self._line = ours.makefile("rwb")

    @classmethod
    def here(cls) -> Nursery:
        """Return this process's nursery, a new one after a fork or where the old one has died."""
        with cls._opening:
            if cls._here is None or cls._here.owner != os.getpid() or cls._here.process.poll() is not None:
                if cls._here is not None:
                    cls._here.close()
                cls._here = cls()
            return cls._here

    def close(self) -> None:
        """Hang up: the process ends, and with it the kernels forked from it."""
        self._line.close()
        if self.owner == os.getpid():
            self.process.wait()

    def fork(self, arguments: list[str], folder: str, environment: dict[str, str]) -> Forked:
        """Fork a kernel with these arguments, in this folder and environment.

        Raises
        ------
        OSError
            If the nursery has died or refuses to fork.
        """
        asked = json.dumps({"arguments": arguments, "folder": folder, "environment": environment})
        with self._asking:
            self._line.write(asked.encode() + b"\n")
            self._line.flush()
            answer = self._line.readline()
        if not answer:
            raise OSError("the process that kernels are forked from has ended")
        return Forked(json.loads(answer)["pid"])


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by a fork; where that cannot be, as any other kernel is started."""

    async def launch_kernel(self, cmd: list[str], **more: Any) -> Any:
        if not can_fork():
            return await super().launch_kernel(cmd, **more)
        try:
            arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
            self.process = Nursery.here().fork(arguments, more.get("cwd") or os.getcwd(), dict(more.get("env") or os.environ))
        except (OSError, ValueError):
            return await super().launch_kernel(cmd, **more)
        self.pid, self.pgid = self.process.pid, None
        return self.connection_info


def can_fork() -> bool:
    """Return whether kernels can be forked here: Linux has what it takes.

    Examples
    --------
    >>> can_fork() == sys.platform.startswith("linux")
    True
    """
    return sys.platform.startswith("linux") and hasattr(os, "pidfd_open")


@contextmanager
def findable() -> Iterator[str]:
    """Let Jupyter find the warm kernel, and give its name.

    Examples
    --------
    >>> with findable() as name:
    ...     name
    'loyalty-lab-warm'
    """
    before = os.environ.get("JUPYTER_PATH")
    if before and before.split(os.pathsep)[0] == str(SPECS):  # found already: another thread may go on needing it
        yield NAME
        return
    os.environ["JUPYTER_PATH"] = os.pathsep.join(part for part in (str(SPECS), before) if part)
    try:
        yield NAME
    finally:
        os.environ.pop("JUPYTER_PATH") if before is None else os.environ.update(JUPYTER_PATH=before)
