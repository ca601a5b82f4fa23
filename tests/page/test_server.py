"""The server of the page: types, caching, and nothing beyond the folder."""

import http.client
from urllib.parse import urlsplit

import pytest


def answer(url: str, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", path)
    found = connection.getresponse()
    found.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/main.js", "text/javascript"),
        ("/engines/dendrix.mjs", "text/javascript"),
        ("/engines/dendrix_image.wasm", "application/wasm"),
        ("/page.json", "application/json"),
    ],
)
def test_types(url: str, path: str, kind: str) -> None:
    found = answer(url, path)
    assert found.status == 200
    assert str(found.getheader("Content-Type")).split(";")[0] == kind
    assert found.getheader("Cache-Control") == "no-cache"
    assert found.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("path", ["/models/", "/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/nothing"])
def test_nothing_else_is_served(url: str, path: str) -> None:
    assert answer(url, path).status == 404
