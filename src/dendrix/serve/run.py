"""Start of a server for the language model of a run folder. Importing this module requires the extra `serve`."""

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
"""Open files besides the connections of answers: those of the process, and idle connections."""


def serve_run(folder: Path, host: str, port: int, *, name: str | None, weights: Weights, token_file: Path | None, limits: Limits) -> None:
    """Serve the language model of a run folder until a signal arrives.

    Args:
        folder: run folder of a language model, written by `dendrix train`.
        host, port: address to listen on; port 0 selects a free port.
        name: name of the model; None takes the name of the folder.
        weights: data type of the matrices.
        token_file: file with the token that clients must send; None takes DENDRIX_SERVE_TOKEN, if set.
        limits: limits of requests.
    Raises:
        OSError: the folder or a file does not exist, or the address is in use.
        InputError: a file is damaged, or the token is too short.
    """
    token = read_token(token_file)
    allow_open_files(2 * (limits.running + limits.waiting) + _FILES)
    with listen(host, port, limits.stall_s) as listener:
        model, tokenizer = load_language_model(folder)
        served = Served(name or folder.resolve().name, Decoder(network_of(model), weights), tokenizer)
        served.decoder.prefill(torch.tensor([[0]]))  # compiles the kernel before the first request
        place = f"[{host}]" if ":" in host else host
        line = f"Serving {served.name} on http://{place}:{listener.getsockname()[1]}/v1. Stop with Ctrl-C."
        if token is None and host not in _HERE:
            print(f"dendrix: every client that can reach {host} may use this server. Set {VARIABLE} to require a token.", file=sys.stderr)
        Server(build_app(served, limits, token), limits, lambda: print(line, flush=True)).run([listener])
