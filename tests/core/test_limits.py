"""Limits on what files claim, and how they are raised."""

import os

import pytest

from dendrix.core.limits import VARIABLE, allow, allowing, expect_within, limit
from dendrix.errors import InputError


def test_a_claim_within_a_limit_passes_and_one_beyond_tells_how_to_allow_it() -> None:
    expect_within(1 << 28, "events", "a.bin")
    says = (
        r"^a\.bin: expected at most 268,435,456 events, got 268,435,457\. If that is right, allow it: --allow events=268435457 or "
        r"DENDRIX_ALLOW=events=268435457\.$"
    )
    with pytest.raises(InputError, match=says):
        expect_within((1 << 28) + 1, "events", "a.bin")
    with pytest.raises(InputError, match="got nan"):
        expect_within(float("nan"), "events", "a.bin")


def test_limits_are_raised_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with allow(events=1e9, audio_s=5):
        assert (limit("events"), limit("audio_s"), limit("labels")) == (1e9, 5, 10_000_000)
        with allowing("events=2e9"):
            assert (limit("events"), limit("audio_s")) == (2e9, 5)
        assert limit("events") == 1e9
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "labels = 3, tokens=4")
    assert (limit("labels"), limit("tokens")) == (3, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("evens=1", "DENDRIX_ALLOW: got 'evens'. Did you mean 'events'"),
        ("events", "DENDRIX_ALLOW: expected NAME=NUMBER, such as events=1e9, got 'events'"),
        ("events=many", "got 'events=many'"),
        ("events=0", r"events: expected a number in \(0, inf\), got 0\.0"),
        ("events=inf", r"got inf"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=says), allowing(text):
        pass
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=says):
        limit("labels")
