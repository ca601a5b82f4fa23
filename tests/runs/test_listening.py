"""Listening to a sound in pieces gives what the whole sound gives, and asks for no more of it than the rule needs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.data import LogMel, PublishedMel, encoder_to_dict
from dendrix.exits import FixedSteps, Margin
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.run_folder.checkpoint import Checkpoint
from dendrix.runs.listening import listen
from dendrix.runs.prediction import predict

RATE, DT_MS, TAIL_MS = 8_000, 10.0, 30.0
NEVER = Margin(float("inf"))


def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    model = DelayNet(DelayNetConfig(5, 3, (7,), max_delay_ms=30.0)).eval()
    return Checkpoint(model, ("a", "b", "c"), encoder_to_dict(LogMel(n_mels=5)), Decision("mean", TAIL_MS))


NETWORK = checkpoint()
SOUND = np.random.default_rng(0).normal(size=1234).astype(np.float32) / 10  # 15 frames of 80 samples and a part of the next


@given(cuts=st.lists(st.integers(0, len(SOUND)), max_size=6))
@settings(max_examples=20, deadline=None)
def test_pieces_of_any_length_give_what_the_whole_sound_gives(cuts: list[int]) -> None:
    answers = list(listen(NETWORK, np.split(SOUND, sorted(cuts)), NEVER))
    whole = predict(NETWORK, SOUND, RATE)
    assert [heard.heard_ms for heard in answers] == [DT_MS * step for step in range(1, 16 + 3 + 1)]
    assert answers[-1].label == whole.label
    assert answers[-1].confidence == pytest.approx(whole.confidence, abs=2e-6)
    assert not any(heard.stopped for heard in answers)


def test_no_piece_is_asked_for_after_the_stop() -> None:
    taken = []

    def pieces() -> Iterator[np.ndarray]:
        while True:
            taken.append(len(taken))
            yield SOUND[:80]

    *_, last = listen(NETWORK, pieces(), FixedSteps.of(4))
    assert (last.heard_ms, last.stopped, len(taken)) == (40.0, True, 4)


@pytest.mark.parametrize("pieces", [[], [SOUND[:0]], [SOUND[:0]] * 3])
def test_no_sound_at_all_is_refused(pieces: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"^Expected sound, got an empty stream"):
        list(listen(NETWORK, pieces, NEVER))


def test_what_is_no_sound_or_cannot_be_followed_is_refused() -> None:
    broken = SOUND.copy()
    broken[100] = np.nan
    with pytest.raises(ValueError, match="finite"):
        list(listen(NETWORK, [broken], NEVER))
    with pytest.raises(ValueError, match="trained on sound, got one without an encoder"):
        list(listen(replace(NETWORK, encoder=None), [SOUND], NEVER))
    with pytest.raises(ValueError, match="causal encoder, got PublishedMel, which needs the whole sound"):
        list(listen(replace(NETWORK, encoder=encoder_to_dict(PublishedMel())), [SOUND], NEVER))
