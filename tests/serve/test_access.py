"""Tokens of clients."""

from pathlib import Path

import pytest

from dendrix.serve.access import VARIABLE, admits, read_token
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


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match=r"limits\.running: expected a number of at least 1, got 0"):
        Limits(running=0)
    assert Limits(waiting=0, grace_s=0)
