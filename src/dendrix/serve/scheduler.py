"""Continuous batching: a thread in which all answers advance together, token by token, and new ones join between two tokens."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable

from ..generate import Decoder
from .batch import Batch
from .errors import ApiError
from .job import Job, Output, Prompt
from .limits import Limits
from .metrics import Metrics

_CHUNK = 64
"""Tokens of prompts that are read between two tokens of the running answers, so that a long prompt does not stop them."""
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
        self._decoder, self._limits, self._metrics, self._loop = decoder, limits, metrics, loop
        self._jobs: set[Job] = set()
        self._incoming = deque[Job]()
        self._running = list[Job]()
        self._prompts = deque[tuple[Job, Prompt]]()
        self._batch = Batch(decoder, limits.unread)
        self._wake, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="dendrix-scheduler", daemon=True)
        metrics.watch(lambda: len(self._batch.rows), lambda: self.held)
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
            if not self._turn():
                self._wake.wait(_PATIENCE_S if self._batch.rows else None)

    def _turn(self) -> bool:
        """Admit, read a part of the prompts, take one token for every answer; returns whether there was anything to do."""
        self._admit()
        outputs = self._read_prompts()
        self._batch.drop()
        outputs += self._step()
        if outputs:
            self._metrics.new_tokens.inc(len(outputs))
            for job, _ in outputs:
                job.written += 1
            self._loop.call_soon_threadsafe(_hand_over, outputs)
        return bool(outputs or self._prompts)

    def _admit(self) -> None:
        """Let jobs run in the order in which they came, as far as there is room."""
        self._running = [job for job in self._running if not job.cancelled]
        room = self._limits.running - sum(len(job.answers) for job in self._running)
        while self._incoming and (self._incoming[0].cancelled or len(self._incoming[0].answers) <= room):
            job = self._incoming.popleft()
            if job.cancelled:
                continue
            room -= len(job.answers)
            self._running.append(job)
            self._prompts.extend((job, prompt) for prompt in job.prompts)

    def _read_prompts(self) -> list[Output]:
        """Read so many tokens of prompts, a share of each in turn; the answers to those that are read begin."""
        outputs, budget = list[Output](), _CHUNK
        while budget > 0 and self._prompts:
            job, prompt = self._prompts.popleft()
            if job.cancelled:
                continue
            tokens = prompt.tokens[prompt.read : prompt.read + budget]
            budget -= len(tokens)
            try:
                logits, prompt.state = self._decoder.prefill(tokens.unsqueeze(0), prompt.state)
                prompt.read += len(tokens)
                if prompt.read < len(prompt.tokens):
                    self._prompts.append((job, prompt))
                else:
                    outputs += self._batch.join(job, prompt.answers, logits, prompt.state)
            except Exception as error:  # whatever it is, the other jobs go on
                outputs += self._failed([job], error)
            self._metrics.prompt_tokens.inc(len(tokens))
        return outputs

    def _step(self) -> list[Output]:
        began = time.perf_counter()
        try:
            outputs = self._batch.step()
        except Exception as error:  # whatever it is, the server goes on
            return self._failed({job for job, _ in self._batch.rows}, error)
        if outputs:
            self._metrics.step_seconds.observe(time.perf_counter() - began)
        return outputs

    def _failed(self, jobs: Iterable[Job], error: Exception) -> list[Output]:
        _log.exception("An answer failed.", exc_info=error)
        for job in jobs:
            job.cancelled = True
        return [(job, error) for job in jobs]


def _hand_over(outputs: list[Output]) -> None:
    for job, piece in outputs:
        job.put(piece)
