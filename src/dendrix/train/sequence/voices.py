"""Random augmentation of voices: tempo, vocal tract length, loudness and spectral tilt, with torch's global generator."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ...data import Batch
from .recipe import SequenceAugment


def revoice(batch: Batch, augment: SequenceAugment) -> Batch:
    """Return each clip with a random change of voice. Inputs are spectra in which silence is zero.

    Source: vocal tract length perturbation after Jaitly & Hinton (2013), tempo after Ko et al. (2015), "Audio augmentation for speech
        recognition", both on frames in place of sound; the rest is ours.
    """
    if augment.tempo or augment.stretch_channels:
        batch = _stretched(batch, augment)
    if augment.loudness or augment.tilt:
        batch = batch._replace(x=_louder(batch.x, augment))
    return batch


def _stretched(batch: Batch, augment: SequenceAugment) -> Batch:
    """Stretch each row along time and channels by linear interpolation, filling with zeros."""
    x, valid, y = batch.x, batch.mask, batch.y
    rows, steps, channels = x.shape
    slower = torch.exp(_uniform(rows, math.log1p(augment.tempo), x))
    wider = torch.exp(_uniform(rows, math.log1p(augment.stretch_channels), x))
    longest = math.ceil(steps * slower.max().item())
    time = (torch.arange(longest, device=x.device) + 0.5) / slower - 0.5
    channel = torch.arange(channels, device=x.device) / wider
    # grid_sample's coordinates run from -1 to 1, between the outer edges of the first and the last entry.
    across = ((2 * channel + 1) / channels - 1).unsqueeze(1).expand(-1, longest, -1)
    along = ((2 * time + 1) / steps - 1).unsqueeze(2).expand(-1, -1, channels)
    moved = functional.grid_sample(x.unsqueeze(1), torch.stack([across, along], -1), align_corners=False).squeeze(1)
    lengths = (valid.sum(1, keepdim=True) * slower).round().clamp(1, longest)
    return Batch(moved, torch.arange(longest, device=x.device) < lengths, y)


def _louder(x: Tensor, augment: SequenceAugment) -> Tensor:
    """Add a random level and a random slope across channels to the spectrum; zeros stay zero."""
    slope = torch.linspace(-1, 1, x.shape[2], device=x.device)
    change = _uniform(len(x), augment.loudness, x) + _uniform(len(x), augment.tilt, x) * slope
    return torch.where(x > 0, (x + change.unsqueeze(1)).clamp(min=0), x)


def _uniform(rows: int, largest: float, like: Tensor) -> Tensor:
    """Return uniform random numbers between -largest and largest, [rows, 1]."""
    return (2 * torch.rand(rows, 1, device=like.device) - 1) * largest
