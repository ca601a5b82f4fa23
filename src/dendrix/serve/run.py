"""Start of a server for the language model of a run folder. Importing this module requires the extra `serve`."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ..checks import expect_count
from ..errors import InputError, MissingExtraError
from ..generate import Decoder, Weights
from ..models.spikegpt.hf_files import end_tokens, load_language_model, network_of
from ..pretrained import find_run
from .access import VARIABLE, allowed_hosts, allowed_origins, in_url, is_loopback, read_tokens
from .app import build_app
from .chat import read_layout
from .limits import Limits
from .logs import log_sparsely
from .prepare import Served
from .server import Server, listen
from .sessions.memory import MemoryStore
from .sessions.store import Store
from .workers import run_workers

STORE = "DENDRIX_SERVE_STORE"
"""Variable with the address of a store, which may contain a password."""


@dataclass(frozen=True)
class _Settings:
    """Everything that a worker needs to serve."""

    folder: Path
    name: str
    weights: Weights
    tokens: tuple[str, ...]
    hosts: Sequence[str]
    origins: Sequence[str]
    limits: Limits
    store: str | None
    workers: int


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
    store: str | None = None,
    workers: int = 1,
    limits: Limits,
) -> None:
    """Serve the language model of a run folder until a signal arrives.

    Args:
        folder: run folder of a language model, written by `dendrix train`.
        host, port: address to listen on; port 0 selects a free port.
        name: name of the model; None takes the name of the folder.
        weights: data type of the matrices.
        token_file: file with the tokens of which clients must send one; None takes DENDRIX_SERVE_TOKEN, if set.
        hosts: host names by which clients may ask for the server; empty for the default of `allowed_hosts`.
        origins: origins of web pages that may use the server, such as "https://example.org".
        store: address of a Redis server for sessions and prefixes; None takes DENDRIX_SERVE_STORE, or memory if that is not set.
        workers: number of processes. Several share the store; without one they keep no sessions.
        limits: limits of requests.
    Raises:
        OSError: the folder or a file does not exist, the address is in use, or the store cannot be reached.
        InputError: a file is damaged, a token is too short, or a port, a number, a host name or an origin is not one.
        MissingExtraError: a store is given, and redis is not installed.
    """
    expect_count(port, "[0, 65535]", "port")
    if expect_count(workers, "[1, inf)", "workers") > (most := _most_workers()):
        raise InputError(f"workers: expected at most {most}, four for each processor of this machine, got {workers}. More are slower.")
    tokens, store = read_tokens(token_file), os.environ.get(STORE) if store is None else store
    if store is not None:
        _expect_store(store)
    elif workers > 1:
        limits = replace(limits, sessions=0)
    hosts, origins, name = allowed_hosts(hosts, host, tokens), allowed_origins(origins), name or folder.resolve().name
    settings = _Settings(folder, name, weights, tokens, hosts, origins, limits, store, workers)
    log_sparsely()
    with listen(host, port, limits.stall_s) as listener:
        line = f"Serving {settings.name} on http://{in_url(host)}:{listener.getsockname()[1]}/v1. Stop with Ctrl-C."
        if not tokens and not is_loopback(host):
            print(f"dendrix: every client that can reach {host} may use this server. Set {VARIABLE} to require a token.", file=sys.stderr)

        def started() -> None:
            print(line, flush=True)

        if workers == 1:
            _serve(settings, listener, started)
        else:
            run_workers(workers, partial(_serve_in_worker, settings), listener, started)


def _most_workers() -> int:
    return 4 * (os.cpu_count() or 1)  # each holds the whole model: many more use up the memory, and no answer comes sooner


def _serve(settings: _Settings, listener: socket.socket, started: Callable[[], None]) -> None:
    """Load the model and serve it at a listening socket."""
    model, tokenizer = load_language_model(settings.folder)
    layout = read_layout(find_run(settings.folder))
    served = Served(settings.name, Decoder(network_of(model), settings.weights), tokenizer, end_tokens(model), layout)
    served.decoder.prefill(torch.tensor([[0]]))  # compiles the kernel before the first request
    limits = settings.limits
    app = build_app(served, limits, settings.tokens, _store(settings, served.decoder), settings.hosts, settings.origins)
    Server(app, limits, started).run([listener])


def _serve_in_worker(settings: _Settings, listener: socket.socket, started: Callable[[], None]) -> None:
    log_sparsely()
    torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
    _serve(settings, listener, started)


def _store(settings: _Settings, decoder: Decoder) -> Store:
    limits = settings.limits
    if settings.store is None:
        return MemoryStore(limits.session_s, limits.session_bytes, limits.prefix_bytes)
    from .sessions.redis_store import RedisStore

    return RedisStore(settings.store, f"{decoder.fingerprint[:32]}:{decoder.weights}", limits.session_s)


def _expect_store(address: str) -> None:
    """Refuse a store that cannot be used now.

    Raises:
        MissingExtraError: redis is not installed.
        InputError, OSError: the address is invalid, or the store cannot be reached.
    """
    try:
        from .sessions.redis_store import expect_redis
    except Exception as missing:  # the package may be broken in any way
        raise MissingExtraError.of("A store needs", "redis", "redis", missing) from missing

    expect_redis(address)
