"""Prometheus metrics of the server. The only module that imports prometheus_client.

Several workers write theirs to the folder PROMETHEUS_MULTIPROC_DIR, and each returns the sum of all.
"""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable with the folder of the metrics of several workers, read by prometheus_client when it is imported."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STEP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """Metrics of one server, in a registry of its own, so that several servers in a process are independent."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("dendrix_requests", "Requests for completions and chat answers by status.", ["status"], registry=registry)
        self.prompt_tokens = Counter("dendrix_prompt_tokens", "Prompt tokens of accepted requests.", registry=registry)
        self.cached_tokens = Counter(
            "dendrix_prompt_tokens_cached", "Tokens of sessions and known prefixes that were not read again.", registry=registry
        )
        self.new_tokens = Counter("dendrix_new_tokens", "Generated tokens.", registry=registry)
        self.left = Counter("dendrix_requests_left", "Requests that ended before their answers were complete.", registry=registry)
        self.dropped = Counter(
            "dendrix_connections_dropped", "Connections closed because their clients sent no whole request.", registry=registry
        )
        self._gauges = {
            name: Gauge(f"dendrix_{name}", about, registry=registry, multiprocess_mode="livesum")
            for name, about in {
                "answers_running": "Answers that are being generated.",
                "answers_held": "Answers that are being generated or queued.",
            }.items()
        }
        self._watched = dict[str, Callable[[], float]]()
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
        self._watched |= {"answers_running": running, "answers_held": held}

    def refresh(self) -> None:
        """Read the functions of `watch`; called repeatedly, because another worker may return the metrics."""
        for name, read in self._watched.items():
            self._gauges[name].set(read())

    def page(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        self.refresh()
        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget(process: int) -> None:
    """Remove the gauges of a worker that has ended.

    Args:
        process: its id.
    """
    mark_process_dead(process)  # type: ignore[no-untyped-call]
