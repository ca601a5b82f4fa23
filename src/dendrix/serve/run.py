"""From a run folder to a server that listens. The one place that needs the extra `serve`."""

import sys
from pathlib import Path

import torch

from ..generate import Decoder, Weights
from ..models.spikegpt.hf_files import load_language_model, network_of
from .access import VARIABLE, read_token
from .app import build_app
from .limits import Limits
from .prepare import Served
from .server import Server, allow_open_files, listen

_HERE = ("127.0.0.1", "::1", "localhost")
_FILES = 512
"""Files of the process itself, and connections that ask for nothing."""


def serve_run(folder: Path, host: str, port: int, *, name: str | None, weights: Weights, token_file: Path | None, limits: Limits) -> None:
    """Serve the language model of a run folder until a signal comes.

    Args:
        folder: what `dendrix train` wrote for a language model.
        host, port: where to listen; port 0 is any free one.
        name: of the model; None takes that of the folder.
        weights: how its matrices are held.
        token_file: holds the token that clients must send; None takes that of the environment, if there is one.
        limits: what is taken on.
    Raises:
        OSError: there is no such folder or file, or the address is taken.
        ValueError: a file is damaged, or the token is too short.
    """
    token = read_token(token_file)
    allow_open_files(2 * (limits.running + limits.waiting) + _FILES)
    with listen(host, port, limits.stall_s) as listener:
        model, tokenizer = load_language_model(folder)
        served = Served(name or folder.resolve().name, Decoder(network_of(model), weights), tokenizer)
        served.decoder.prefill(torch.tensor([[0]]))  # compiles, which the first client need not wait for
        place = f"[{host}]" if ":" in host else host
        line = f"Serving {served.name} on http://{place}:{listener.getsockname()[1]}/v1. Stop with Ctrl-C."
        if token is None and host not in _HERE:
            print(f"dendrix: anybody who reaches {host} may use this server. Set {VARIABLE} to have a token asked for.", file=sys.stderr)
        Server(build_app(served, limits, token), limits, lambda: print(line, flush=True)).run([listener])
