"""Continuous batching: a thread that generates all answers in one batch, token by token; new answers join between steps."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from torch import Tensor

from ..generate import Decoder
from .batch import Batch
from .errors import ApiError
from .job import Job, Output, Piece
from .limits import Limits
from .metrics import Metrics

_PATIENCE_S = 0.02
"""Interval at which paused answers are checked for new reads, in s."""
_log = logging.getLogger(__name__)
Keep = Callable[[Sequence[tuple[bytes, Tensor]]], None]


class Scheduler:
    """Scheduler of jobs on one decoder, in a thread of its own. `submit` and `leave` must be called in the event loop.

    Args:
        decoder: the language model.
        limits: limits of running and queued answers.
        metrics: metrics to update.
        loop: event loop of the readers.
        keep: receives the digests and states at block ends of the texts, in the event loop.
    """

    def __init__(self, decoder: Decoder, limits: Limits, metrics: Metrics, loop: asyncio.AbstractEventLoop, keep: Keep):
        self.draining = False
        """True if no new job is accepted."""
        self.held = 0
        """Number of answers of all accepted jobs that have not left."""
        self._limits, self._metrics, self._loop, self._keep = limits, metrics, loop, keep
        self._jobs: set[Job] = set()
        self._incoming = deque[Job]()
        self._batch = Batch(decoder, limits.unread)
        self._wake, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="dendrix-scheduler", daemon=True)
        metrics.watch(lambda: self._batch.answers, lambda: self.held)
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """True if jobs are accepted and answered."""
        return self._thread.is_alive() and not self.draining

    def submit(self, job: Job) -> None:
        """Accept a job. Call `leave` when it is complete or no longer needed.

        Args:
            job: job with at most `limits.running` answers.
        Raises:
            ApiError: 429 if too many answers are queued, 503 if the server is shutting down.
        """
        new, limits = len(job.answers), self._limits
        if self.draining:
            job.cancelled = True
            raise ApiError(503, "The server is shutting down. Try again later.", code="shutting_down")
        if self.held + new > limits.running + limits.waiting:
            job.cancelled = True
            raise ApiError(429, f"The server is busy with {self.held} answers. Try again later.", code="busy")
        self._jobs.add(job)
        self.held += new
        self._metrics.prompt_tokens.inc(sum(len(prompt.tokens) for prompt in job.prompts))
        self._incoming.append(job)
        self._wake.set()

    def leave(self, job: Job) -> None:
        """Release a job that is complete or no longer needed.

        Args:
            job: submitted job.
        """
        if job in self._jobs:
            self._jobs.remove(job)
            if any(answer.finish is None for answer in job.answers):
                self._metrics.left.inc()
            self.held -= len(job.answers)
            job.cancelled = True
            self._wake.set()

    def close(self) -> None:
        """Stop the thread; the readers of remaining jobs get an error."""
        self.draining = self._closed = True
        self._wake.set()
        self._thread.join()
        for job in self._jobs:
            job.put(ApiError(503, "The server was shut down before the answer was complete.", code="shutting_down"))

    def _work(self) -> None:
        while not self._closed:
            self._wake.clear()
            self._turn()
            if self._batch.idle:
                self._wake.wait(_PATIENCE_S if self._batch.rows else None)

    def _turn(self) -> None:
        """Admit and remove jobs, and generate one token of every answer."""
        self._admit()
        began = time.perf_counter()
        try:
            outputs = self._batch.advance()
        except Exception:  # any failure ends the jobs of this step only
            _log.exception("A decoding step failed; the server continues.")
            outputs = self._failed()
        if ends := self._batch.block_ends():
            self._loop.call_soon_threadsafe(self._keep, ends)
        if outputs:
            self._metrics.step_seconds.observe(time.perf_counter() - began)
            self._metrics.new_tokens.inc(sum(isinstance(piece, Piece) for _, piece in outputs))
            for job, _ in outputs:
                job.written += 1
            self._loop.call_soon_threadsafe(_hand_over, outputs)

    def _admit(self) -> None:
        """Start queued jobs in order of arrival while there is room."""
        self._batch.leave()
        room, admitted = self._limits.running - self._batch.answers, list[Job]()
        while self._incoming and (self._incoming[0].cancelled or len(self._incoming[0].answers) <= room):
            job = self._incoming.popleft()
            if not job.cancelled:
                room -= len(job.answers)
                admitted.append(job)
        self._batch.join(admitted)

    def _failed(self) -> list[Output]:
        """End every job of the batch with an error."""
        jobs = {row.job for row in self._batch.rows}
        for job in jobs:
            job.cancelled = True
        return [(job, ApiError(500, "The model failed at this answer. See the log of the server.")) for job in jobs]


def _hand_over(outputs: list[Output]) -> None:
    for job, piece in outputs:
        job.put(piece)
