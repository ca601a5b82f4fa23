"""What the server counts of itself, for Prometheus. The one place that imports prometheus_client."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STEP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """The figures of one server; nothing is global, so two servers in one process do not mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("dendrix_requests", "Requests to /v1/completions, by status.", ["status"], registry=registry)
        self.prompt_tokens = Counter("dendrix_prompt_tokens", "Tokens of prompts that were read.", registry=registry)
        self.new_tokens = Counter("dendrix_new_tokens", "Tokens of answers that were written.", registry=registry)
        self.left = Counter("dendrix_requests_left", "Requests that ended before their answers were complete.", registry=registry)
        self._running = Gauge("dendrix_answers_running", "Answers that are written now.", registry=registry)
        self._held = Gauge("dendrix_answers_held", "Answers that are written now, or wait for their turn.", registry=registry)
        self.step_seconds = Histogram("dendrix_step_seconds", "Time of one token of all running answers.", registry=registry, buckets=_STEP)
        self.first_seconds = Histogram("dendrix_first_token_seconds", "Time to the first text.", registry=registry, buckets=_SECONDS)
        self.request_seconds = Histogram("dendrix_request_seconds", "Time to the end of an answer.", registry=registry, buckets=_SECONDS)

    def watch(self, running: Callable[[], float], held: Callable[[], float]) -> None:
        """Ask for these whenever the page is read."""
        self._running.set_function(running)
        self._held.set_function(held)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)
