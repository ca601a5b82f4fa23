"""HTTP server for the page on the own machine."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class PageServer(ThreadingHTTPServer):
    """Server of a folder on the loopback interface; `serve_forever` runs it, `url` is its address.

    Args:
        folder: folder that `build_page` wrote.
        port: port; 0 chooses a free one.
    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: str | Path, port: int = 0):
        super().__init__(("127.0.0.1", port), partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        # The registry of the system may name other types, with which browsers refuse modules.
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # a page that was built again replaces the old one
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND, "No such file")

    def log_message(self, *_: Any) -> None:
        """Print nothing for a request."""
