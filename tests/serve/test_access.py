"""Tokens of clients, the host names that they may ask for, and limits."""

import math
from pathlib import Path
from typing import Any

import pytest

from dendrix.serve.access import LOOPBACK, VARIABLE, admits, allowed_hosts, allowed_origins, read_token
from dendrix.serve.limits import Limits


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_token(None) is None
    monkeypatch.setenv(VARIABLE, "from-the-environment")
    assert read_token(None) == "from-the-environment"
    (tmp_path / "token").write_text("from-a-file\n")
    assert read_token(tmp_path / "token") == "from-a-file"


@pytest.mark.parametrize("token", ["", "short", "with a blank in it", "ümlaut-ümlaut", "two\nlines-of-it"])
def test_a_token_that_is_none(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    with pytest.raises(ValueError, match="at least 8 ASCII characters"):
        read_token(tmp_path / "token")


@pytest.mark.parametrize("header", ["Bearer secret-token", "bearer secret-token", "Bearer  secret-token "])
def test_a_token_is_admitted(header: str) -> None:
    assert admits("secret-token", header)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer secret-toke", "Bearer secret-tokens", "secret-token", "Basic secret-token", "Bearer ÿ"]
)
def test_another_is_not(header: str | None) -> None:
    assert not admits("secret-token", header)
    assert admits(None, header)


@pytest.mark.parametrize(
    ("given", "host", "token", "hosts"),
    [
        ((), "127.0.0.1", None, (*LOOPBACK, "127.0.0.1")),
        ((), "::1", "secret-token", (*LOOPBACK, "[::1]")),
        ((), "10.0.0.5", None, (*LOOPBACK, "10.0.0.5")),
        ((), "0.0.0.0", None, LOOPBACK),
        ((), "::", None, LOOPBACK),
        ((), "0.0.0.0", "secret-token", ("*",)),
        (("example.org", "*.example.org", "fe80::1", "*"), "0.0.0.0", None, ("example.org", "*.example.org", "[fe80::1]", "*")),
    ],
)
def test_hosts_by_default_and_by_name(given: tuple[str, ...], host: str, token: str | None, hosts: tuple[str, ...]) -> None:
    assert allowed_hosts(given, host, token) == hosts


@pytest.mark.parametrize("name", ["", "http://example.org", "example.org:8000", "a b", "ex*mple.org", "*example.org", "*.", "ü.org"])
def test_a_host_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="allowed_hosts: expected a name such as"):
        allowed_hosts([name], "127.0.0.1", None)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (dict(running=0), r"limits\.running: expected a whole number in \[1, "),
        (dict(running=2.5), r"limits\.running: expected a whole number"),
        (dict(body_bytes=1 << 70), r"limits\.body_bytes: expected a whole number"),
        (dict(stall_s=1e12), r"limits\.stall_s: expected a number in \[1, 86400\], got 1000000000000"),
        (dict(grace_s=math.nan), r"limits\.grace_s: expected a number"),
    ],
)
def test_limits_are_checked(limit: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**limit)


def test_nothing_may_wait() -> None:
    assert Limits(waiting=0, grace_s=0)


@pytest.mark.parametrize("origin", ["*", "https://example.org", "http://localhost:3000", "http://[::1]:80", "app://local"])
def test_origins_of_pages(origin: str) -> None:
    assert allowed_origins([origin]) == (origin,)


@pytest.mark.parametrize(
    "origin", ["example.org", "https://", "https://example.org/", "https://a@example.org", "https://*.org", "null", ""]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="cors_origins: expected an origin such as"):
        allowed_origins([origin])
