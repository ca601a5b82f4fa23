"""Other voices: what is stretched, what becomes louder, and that silence stays silence."""

import torch

from dendrix.data import Batch
from dendrix.train.sequence.recipe import SequenceAugment
from dendrix.train.sequence.voices import revoice


def clips(rows: int = 50, steps: int = 20, channels: int = 16) -> Batch:
    """A bump in the middle of the channels over the first half of the steps, then 2 steps of silence that count."""
    torch.manual_seed(0)
    x = torch.zeros(rows, steps, channels)
    x[:, : steps // 2] = torch.exp(-((torch.arange(channels) - channels / 2) ** 2) / 8)
    valid = (torch.arange(steps) < steps // 2 + 2).expand(rows, -1)
    return Batch(x, valid, torch.arange(rows) % 2)


def test_nothing_changes_without_it() -> None:
    one = clips()
    assert all(torch.equal(a, b) for a, b in zip(revoice(one, SequenceAugment()), one, strict=True))


def test_tempo_stretches_the_sound_and_its_length_alike() -> None:
    one = clips(steps=200)
    x, valid, y = revoice(one, SequenceAugment(tempo=0.5))
    assert torch.equal(y, one.y)
    slower = valid.sum(1) / one.valid.sum(1)
    assert 0.66 < slower.min() < 0.75
    assert 1.35 < slower.max() <= 1.51
    energy = x.sum((1, 2)) / one.x.sum((1, 2))
    assert (energy - slower).abs().max() < 0.02
    assert not x[~valid].any()
    assert (valid[:, 1:] <= valid[:, :-1]).all()


def test_the_spectrum_is_stretched_from_its_first_channel() -> None:
    x, valid, _ = revoice(clips(), SequenceAugment(stretch_channels=0.25))
    assert torch.equal(valid, clips().valid)
    peak = x[:, 0].argmax(1)
    assert peak.min() == round(8 / 1.25)
    assert peak.max() == round(8 * 1.25)


def test_loudness_and_tilt_leave_silence_alone() -> None:
    one = clips()
    louder = revoice(one, SequenceAugment(loudness=0.5)).x
    assert torch.equal(louder == 0, (one.x == 0) | (louder == 0))
    change = (louder - one.x)[:, 0, 8]
    assert 0.4 < change.max() <= 0.5
    assert -0.5 <= change.min() < -0.4
    tilted = (revoice(one, SequenceAugment(tilt=0.3)).x - one.x)[:, 0]
    assert (tilted[:, 9] * tilted[:, 6] <= 0).all()
    assert not revoice(one, SequenceAugment(loudness=0.5, tilt=0.3)).x[:, 10:].any()


def test_the_seed_is_that_of_torch() -> None:
    one, augment = clips(), SequenceAugment(tempo=0.2, stretch_channels=0.1, loudness=0.5, tilt=0.3)
    torch.manual_seed(1)
    first = revoice(one, augment)
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(first, revoice(one, augment), strict=True))
