"""`dendrix serve`: a language model over HTTP."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..errors import MissingExtraError
from ..serve.limits import Limits

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]


def serve(
    run: Run,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
    weights: Literal["float32", "bfloat16", "int8"] = "float32",
    token_file: Path | None = None,
    allowed_hosts: tuple[str, ...] = (),
    cors_origins: tuple[str, ...] = (),
    store: str | None = None,
    workers: int = 1,
    limits: Limits = Limits(),
) -> None:
    """Serve a language model over HTTP with an OpenAI-compatible API: /v1/completions, /v1/chat/completions, /v1/sessions and others.

    Args:
        run: folder that `dendrix train` wrote for a language model, or the name of a shipped one, novels.
        host: address to listen on; 0.0.0.0 is every address of this machine.
        port: port to listen on; 0 chooses a free one and prints it.
        name: name of the model for clients; by default that of the folder.
        weights: format of the weight matrices; smaller formats are faster and less exact.
        token_file: file with the tokens that clients may use, one per line; by default the variable DENDRIX_SERVE_TOKEN, if it is set.
        allowed_hosts: host names that requests may contain, such as example.org or *.example.org; * accepts all. By default the names of
            the loopback interface and --host, or all if a token is required and --host is not a loopback address.
        cors_origins: origins of web pages that may use the server, such as https://example.org; * admits all. By default none but its own.
        store: address of a Redis or Valkey server, such as redis://localhost:6379/0, that keeps sessions and known prefixes for all
            processes that serve this model; by default the variable DENDRIX_SERVE_STORE, or the memory of this process.
        workers: processes that answer requests, each with the whole model; without --store, several keep no sessions.
        limits: limits of requests.
    """
    try:
        from ..serve.run import serve_run
    except Exception as missing:  # a package may be broken in any way
        raise MissingExtraError.of("Serving needs", None, "lm,serve", missing) from missing

    serve_run(
        run,
        host,
        port,
        name=name,
        weights=weights,
        token_file=token_file,
        hosts=allowed_hosts,
        origins=cors_origins,
        store=store,
        workers=workers,
        limits=limits,
    )
