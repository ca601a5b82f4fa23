"""Several processes that serve one model at one listening socket."""

import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from ..errors import DendrixError
from .metrics import FOLDER, forget

Work = Callable[[socket.socket, Callable[[], None]], None]
"""Serve at a listening socket until a signal arrives; the function is called when the worker accepts requests."""
_TICK_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger(__name__)


class WorkerError(DendrixError, RuntimeError):
    """Worker that ended before it accepted requests."""


def run_workers(count: int, work: Work, listener: socket.socket, started: Callable[[], None]) -> None:
    """Run workers until a signal arrives, and replace those that end before.

    The workers get the signals from this process: the first one stops them gracefully, the second one immediately.

    Args:
        count: number of workers.
        work: the work of each, which can be pickled.
        listener: listening socket.
        started: function that is called when all workers accept requests.
    Raises:
        WorkerError: a worker ended before it accepted requests.
    """
    context, announced = multiprocessing.get_context("spawn"), False

    def start() -> tuple[Any, Any]:
        ready = context.Event()
        process = context.Process(target=_run, args=(work, listener, ready))
        process.start()
        return process, ready

    with tempfile.TemporaryDirectory(prefix="dendrix-metrics-") as folder, _variable(FOLDER, folder), _signals() as received:
        workers = [start() for _ in range(count)]
        try:
            while not received:
                time.sleep(_TICK_S)
                for place, (process, _) in enumerate(workers):
                    if process.exitcode is None:
                        continue
                    if not announced:
                        raise WorkerError(f"workers: expected {count} that accept requests, but one ended first. Its messages are above.")
                    _log.warning("A worker has ended with status %s; another one takes its place.", process.exitcode)
                    forget(process.pid)
                    workers[place] = start()
                if not announced and all(ready.is_set() for _, ready in workers):
                    started()
                    announced = True
            sent = 0
            while any(process.exitcode is None for process, _ in workers):
                if sent < len(received):
                    sent = len(received)
                    for process, _ in workers:
                        process.terminate()
                time.sleep(_TICK_S)
        finally:
            for process, _ in workers:
                process.kill()
                process.join()


def _run(work: Work, listener: socket.socket, ready: Any) -> None:
    """Run one worker, which ends with its parent and gets no signals from the terminal."""
    if hasattr(os, "setsid"):
        os.setsid()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, daemon=True).start()
    work(listener, ready.set)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the signals that end this process."""
    received = list[int]()
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
