"""Continuous batching: a thread in which all answers advance together, token by token, and new ones join between two tokens."""

import asyncio
import logging
import threading
import time
from collections import deque

from ..generate import Decoder
from .batch import Batch
from .errors import ApiError
from .job import Job, Output
from .limits import Limits
from .metrics import Metrics

_PATIENCE_S = 0.02
"""How soon it is seen that the reader of answers that stand still reads on."""
_log = logging.getLogger(__name__)


class Scheduler:
    """Answers jobs with one decoder. `submit` and `leave` belong to the event loop; all else happens in a thread of its own.

    Args:
        decoder: the language model.
        limits: how many answers run and wait.
        metrics: what is counted.
        loop: the event loop.
    """

    def __init__(self, decoder: Decoder, limits: Limits, metrics: Metrics, loop: asyncio.AbstractEventLoop):
        self.draining = False
        """Whether no job is taken on any more."""
        self.held = 0
        """Answers of all jobs that were taken on and not left."""
        self._limits, self._metrics, self._loop = limits, metrics, loop
        self._jobs: set[Job] = set()
        self._incoming = deque[Job]()
        self._batch = Batch(decoder, limits.unread)
        self._wake, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="dendrix-scheduler", daemon=True)
        metrics.watch(lambda: self._batch.answers, lambda: self.held)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether jobs are taken on and answered."""
        return self._thread.is_alive() and not self.draining

    def submit(self, job: Job) -> None:
        """Take a job on, of at most `limits.running` answers. Call `leave` when it is read to its end, or when nobody reads it any more.

        Raises:
            ApiError: 429 if too many wait, 503 if the server is about to stop.
        """
        new, limits = len(job.answers), self._limits
        if self.draining:
            raise ApiError(503, "The server is shutting down. Try again later.", code="shutting_down")
        if self.held + new > limits.running + limits.waiting:
            raise ApiError(429, f"The server is busy with {self.held} answers. Try again later.", code="busy")
        self._jobs.add(job)
        self.held += new
        self._metrics.prompt_tokens.inc(sum(len(prompt.tokens) for prompt in job.prompts))
        self._incoming.append(job)
        self._wake.set()

    def leave(self, job: Job) -> None:
        """The job is done, or its reader has gone: its place is free."""
        if job in self._jobs:
            self._jobs.remove(job)
            if any(answer.finish is None for answer in job.answers):
                self._metrics.left.inc()
            self.held -= len(job.answers)
            job.cancelled = True
            self._wake.set()

    def close(self) -> None:
        """End the thread; readers that are left get an error."""
        self.draining = self._closed = True
        self._wake.set()
        self._thread.join()
        for job in self._jobs:
            job.put(ApiError(503, "The server has shut down before the answer was complete.", code="shutting_down"))

    def _work(self) -> None:
        while not self._closed:
            self._wake.clear()
            self._turn()
            if self._batch.idle:
                self._wake.wait(_PATIENCE_S if self._batch.rows else None)

    def _turn(self) -> None:
        """Let jobs come and go, and take one token for every answer."""
        self._admit()
        began = time.perf_counter()
        try:
            outputs = self._batch.advance()
        except Exception:  # whatever it is, the server goes on
            _log.exception("A turn failed; the server goes on.")
            outputs = self._failed()
        if outputs:
            self._metrics.step_seconds.observe(time.perf_counter() - began)
            self._metrics.new_tokens.inc(len(outputs))
            for job, _ in outputs:
                job.written += 1
            self._loop.call_soon_threadsafe(_hand_over, outputs)

    def _admit(self) -> None:
        """Let jobs run in the order in which they came, as far as there is room."""
        self._batch.leave()
        room, admitted = self._limits.running - self._batch.answers, list[Job]()
        while self._incoming and (self._incoming[0].cancelled or len(self._incoming[0].answers) <= room):
            job = self._incoming.popleft()
            if not job.cancelled:
                room -= len(job.answers)
                admitted.append(job)
        self._batch.join(admitted)

    def _failed(self) -> list[Output]:
        """Every job of the batch ends with an error."""
        jobs = {row.job for row in self._batch.rows}
        for job in jobs:
            job.cancelled = True
        return [(job, ApiError(500, "The model failed at this answer. The server's log has the reason.")) for job in jobs]


def _hand_over(outputs: list[Output]) -> None:
    for job, piece in outputs:
        job.put(piece)
