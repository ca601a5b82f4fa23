"""`dendrix page`: the page that runs networks in a browser."""

import contextlib
import webbrowser
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError

Run = Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")]


def page(run: Run = None, out: Path = Path("dendrix-page"), open: bool = False, port: int = 8021, build_only: bool = False) -> None:
    """Write a page that runs the shipped networks in a browser, and serve it on this machine.

    The folder needs no server of dendrix: any static web server can serve it, also without a connection to the internet.

    Args:
        run: your own run instead of a shipped network: a delay network of sound, a converted image network, or a SpikeGPT of bytes. Its
            data must be available.
        out: a new folder, or one that this command wrote with the same networks, which is served again.
        open: open the page in the browser.
        port: port of the loopback interface; 0 chooses a free one.
        build_only: write the folder and do not serve it.
    """
    from ..page import PageServer, networks_with, written_page

    networks = networks_with(run)
    about = written_page(out, networks)
    size = sum(file["bytes"] for file in about["files"].values())
    print(f"{out}: {len(about['files'])} files, {size / 1e6:.2f} MB.")
    if build_only:
        return
    try:
        server = PageServer(out, port)
    except OSError as error:
        raise InputError(f"port: expected a free one, but {port} is taken or not allowed. Choose another, or 0 for any.") from error
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"Open {server.url} and press Ctrl-C to stop.", flush=True)
        if open:
            webbrowser.open(server.url)
        server.serve_forever()
