"""Tokens of clients, the host names that they may ask for, and limits."""

import math
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dendrix.serve.access import LOOPBACK, VARIABLE, allowed_hosts, allowed_origins, owner_of, read_tokens
from dendrix.serve.limits import Limits


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_tokens(None) == ()
    monkeypatch.setenv(VARIABLE, "from-the-environment")
    assert read_tokens(None) == ("from-the-environment",)
    (tmp_path / "token").write_text("from-a-file\n\nanother-of-it\n")
    assert read_tokens(tmp_path / "token") == ("from-a-file", "another-of-it")


@pytest.mark.parametrize("token", ["", "short", "with a blank in it", "ümlaut-ümlaut", "two\nlines-of-it", "\n\n"])
def test_a_token_that_is_none(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    with pytest.raises(ValueError, match="at least 8 ASCII characters"):
        read_tokens(tmp_path / "token")


@pytest.mark.parametrize("header", ["Bearer secret-token", "bearer secret-token", "Bearer  secret-token "])
def test_a_token_is_admitted(header: str) -> None:
    assert owner_of(["another-token", "secret-token"], header) == sha256(b"secret-token").hexdigest()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer secret-toke", "Bearer secret-tokens", "secret-token", "Basic secret-token", "Bearer ÿ"]
)
def test_another_is_not(header: str | None) -> None:
    assert owner_of(["another-token", "secret-token"], header) is None
    assert owner_of([], header) == ""


@pytest.mark.parametrize(
    ("given", "host", "tokens", "hosts"),
    [
        ((), "127.0.0.1", (), (*LOOPBACK, "127.0.0.1")),
        ((), "::1", ("secret-token",), (*LOOPBACK, "[::1]")),
        ((), "10.0.0.5", (), (*LOOPBACK, "10.0.0.5")),
        ((), "0.0.0.0", (), LOOPBACK),
        ((), "::", (), LOOPBACK),
        ((), "0.0.0.0", ("secret-token",), ("*",)),
        (("example.org", "*.example.org", "fe80::1", "*"), "0.0.0.0", (), ("example.org", "*.example.org", "[fe80::1]", "*")),
    ],
)
def test_hosts_by_default_and_by_name(given: tuple[str, ...], host: str, tokens: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    assert allowed_hosts(given, host, tokens) == hosts


@pytest.mark.parametrize("name", ["", "http://example.org", "example.org:8000", "a b", "ex*mple.org", "*example.org", "*.", "ü.org"])
def test_a_host_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="allowed_hosts: expected a name such as"):
        allowed_hosts([name], "127.0.0.1", ())


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (dict(running=0), r"limits\.running: expected a whole number in \[1, "),
        (dict(running=2.5), r"limits\.running: expected a whole number"),
        (dict(body_bytes=1 << 70), r"limits\.body_bytes: expected a whole number"),
        (dict(stall_s=1e12), r"limits\.stall_s: expected a number in \[1, 86400\], got 1000000000000"),
        (dict(session_s=1e12), r"limits\.session_s: expected a number in \[1, 31536000\], got 1000000000000"),
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
