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
    limits: Limits = Limits(),
) -> None:
    """Serve a language model over HTTP: OpenAI's /v1/completions and /v1/models, /healthz, and /metrics for Prometheus.

    Args:
        run: a folder that `dendrix train` wrote for a language model.
        host: the address to listen at; 0.0.0.0 is all of this machine's.
        port: 0 takes a free one and prints it.
        name: what clients call the model; by default the name of the folder.
        weights: how matrices are held; smaller ones are read faster.
        token_file: clients must send the token in this file; by default that of the variable DENDRIX_SERVE_TOKEN, if it is set.
        allowed_hosts: names by which clients may ask for the server, such as example.org or *.example.org; * admits all. By default
            those of this machine for itself and --host, or all if a token protects a --host that others can reach.
        limits: what is taken on.
    """
    try:
        from ..serve.run import serve_run
    except Exception as missing:
        raise MissingExtraError.of("Serving needs", None, "lm,serve", missing) from missing

    serve_run(run, host, port, name=name, weights=weights, token_file=token_file, hosts=allowed_hosts, limits=limits)
