"""Start of a server for the language model of a run folder. Importing this module requires the extra `serve`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ..checks import expect_count
from ..generate import Decoder, Weights
from ..models.spikegpt.hf_files import end_tokens, load_language_model, network_of
from ..pretrained import find_run
from .access import VARIABLE, allowed_hosts, allowed_origins, in_url, is_loopback, read_token
from .app import build_app
from .chat import read_layout
from .limits import Limits
from .logs import log_sparsely
from .prepare import Served
from .server import Server, listen


def serve_run(
    folder: Path,
    host: str,
    port: int,
    *,
    name: str | None,
    weights: Weights,
    token_file: Path | None,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    limits: Limits,
) -> None:
    """Serve the language model of a run folder until a signal arrives.

    Args:
        folder: run folder of a language model, written by `dendrix train`.
        host, port: address to listen on; port 0 selects a free port.
        name: name of the model; None takes the name of the folder.
        weights: data type of the matrices.
        token_file: file with the token that clients must send; None takes DENDRIX_SERVE_TOKEN, if set.
        hosts: host names by which clients may ask for the server; empty for the default of `allowed_hosts`.
        origins: origins of web pages that may use the server, such as "https://example.org".
        limits: limits of requests.
    Raises:
        OSError: the folder or a file does not exist, or the address is in use.
        InputError: a file is damaged, the token is too short, or a port, a host name or an origin is not one.
    """
    expect_count(port, "[0, 65535]", "port")
    token = read_token(token_file)
    hosts, origins = allowed_hosts(hosts, host, token), allowed_origins(origins)
    log_sparsely()
    with listen(host, port, limits.stall_s) as listener:
        model, tokenizer = load_language_model(folder)
        layout = read_layout(find_run(folder))
        served = Served(name or folder.resolve().name, Decoder(network_of(model), weights), tokenizer, end_tokens(model), layout)
        served.decoder.prefill(torch.tensor([[0]]))  # compiles the kernel before the first request
        line = f"Serving {served.name} on http://{in_url(host)}:{listener.getsockname()[1]}/v1. Stop with Ctrl-C."
        if token is None and not is_loopback(host):
            print(f"dendrix: every client that can reach {host} may use this server. Set {VARIABLE} to require a token.", file=sys.stderr)
        Server(build_app(served, limits, token, hosts, origins), limits, lambda: print(line, flush=True)).run([listener])
