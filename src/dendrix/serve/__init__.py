"""Server of a language model with an OpenAI-compatible HTTP API and continuous batching (`dendrix serve`).

`serve_run` is in `dendrix.serve.run`, which requires the extra `serve`; importing this package does not.
"""

from .limits import Limits

__all__ = [
    "Limits",
]
