"""Prometheus metrics of the server. The only module that imports prometheus_client."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STEP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """Metrics of one server, in a registry of its own, so that several servers in a process are independent."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("dendrix_requests", "Requests for completions and chat answers by status.", ["status"], registry=registry)
        self.prompt_tokens = Counter("dendrix_prompt_tokens", "Prompt tokens of accepted requests.", registry=registry)
        self.new_tokens = Counter("dendrix_new_tokens", "Generated tokens.", registry=registry)
        self.left = Counter("dendrix_requests_left", "Requests that ended before their answers were complete.", registry=registry)
        self.dropped = Counter(
            "dendrix_connections_dropped", "Connections closed because their clients sent no whole request.", registry=registry
        )
        self._running = Gauge("dendrix_answers_running", "Answers that are being generated.", registry=registry)
        self._held = Gauge("dendrix_answers_held", "Answers that are being generated or queued.", registry=registry)
        self.step_seconds = Histogram(
            "dendrix_step_seconds", "Time of one decoding step of all running answers.", registry=registry, buckets=_STEP
        )
        self.first_seconds = Histogram("dendrix_first_token_seconds", "Time to the first text.", registry=registry, buckets=_SECONDS)
        self.request_seconds = Histogram("dendrix_request_seconds", "Time to the end of a request.", registry=registry, buckets=_SECONDS)

    def watch(self, running: Callable[[], float], held: Callable[[], float]) -> None:
        """Set the functions that are called when the metrics are read.

        Args:
            running: number of answers that are being generated.
            held: number of answers that are being generated or queued.
        """
        self._running.set_function(running)
        self._held.set_function(held)

    def page(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
