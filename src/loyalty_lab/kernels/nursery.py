"""The process that warm kernels are forked from: it imports, waits, and forks. It has one thread and has done no work."""

from __future__ import annotations

import os

# Set before anything is imported: threads do not live through a fork.
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import builtins
import ctypes
import gc
import importlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from loyalty_lab import keys, share

DIES_WITH_PARENT = 1
# What notebooks need besides our own modules; most of these import it late.
IMPORTED = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "pandas",
    "pandas.core.methods.to_dict",
    "pandas.core.reshape.reshape",
    "pandas.io.formats.csvs",
    "pandas.io.formats.html",
    "duckdb",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib.pyplot",
    "babel.numbers",
    "babel.dates",
    "sklearn.linear_model",
    "sklearn.ensemble",
    "sklearn.pipeline",
    "sklearn.inspection",
    "sklearn.isotonic",
    "loyalty_lab.demo.truth",
)
BAR = {"labels": [{"key": "chart.label", "args": {"label": "0"}}], "values": [0.5], "unit": "share"}


def prepare() -> None:
    """Import what notebooks need; libraries that look for a notebook while they are imported must find one, or they print differently."""
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    for name in (*IMPORTED, *ours()):
        importlib.import_module(name)
    draw()
    del builtins.get_ipython  # type: ignore[attr-defined]
    if (threads := len(os.listdir("/proc/self/task"))) != 1:
        sys.exit(f"{threads} threads run: a fork would lose all but one")
    gc.collect()
    gc.freeze()


def ours() -> Iterator[str]:
    """The modules of this package that a notebook can reach."""
    for path in sorted(share.PACKAGE.rglob("*.py")):
        parts = path.relative_to(share.PACKAGE).with_suffix("").parts
        if parts[0] not in {*keys.BEYOND_NOTEBOOKS, "__init__", "__main__", "kernels"}:
            yield ".".join(["loyalty_lab", *parts]).removesuffix(".__init__")


def draw() -> None:
    """Draw and say something once: fonts, styles and texts are read now and not in every kernel."""
    from loyalty_lab import charts

    charts.png(charts.draw("bars", BAR))


def serve(line: Any) -> None:
    """Fork one kernel for each request, and answer with its process number."""
    while request := line.readline():
        if (child := os.fork()) == 0:
            line.close()
            become_kernel(json.loads(request))
        line.write(json.dumps({"pid": child}).encode() + b"\n")
        line.flush()


def become_kernel(asked: dict[str, Any]) -> None:
    """Turn a fork into a kernel that does not outlive the process it came from."""
    try:
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["ipykernel_launcher", *asked["arguments"]]
        sys.path[0] = ""
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(argv=asked["arguments"])
    finally:
        os._exit(0)


if __name__ == "__main__":
    # The nursery's own end of the line is the only thing that keeps it alive.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])).makefile("rwb"))
