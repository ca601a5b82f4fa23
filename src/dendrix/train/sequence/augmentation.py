"""Random augmentation of batches of sequences, with torch's global generator."""

import torch
from torch import Tensor
from torch.nn import functional

from ...data import Batch
from .recipe import SequenceAugment


def mix(batch: Batch, augment: SequenceAugment, classes: int) -> tuple[Tensor, Tensor]:
    """Mix clips of a batch: return the inputs x [B, T, C] and their targets, class probabilities [B, K].

    A blend of two clips of one class keeps the class. If CutMix replaces a share of the valid steps of a clip by those of another one, the
    class of the other one gets that share of the target.

    Source: CutMix after Yun et al. (2019), arXiv 1905.04899, along time; blends of aligned clips after Nowotny, Turner & Knight (2025),
        "Loss shaping enhances exact gradient learning with Eventprop in spiking neural networks", aligned here in time only.
    """
    x, target = batch.x, functional.one_hot(batch.y, classes).to(batch.x.dtype)
    if augment.blend:
        x = _blend(x, batch.y, augment.blend)
    if augment.cutmix:
        other = torch.randperm(len(x), device=x.device)
        replaced = _stretch(batch.mask & batch.mask[other]) & (torch.rand(len(x), 1, device=x.device) < augment.cutmix)
        share = (replaced.sum(1) / batch.mask.sum(1)).unsqueeze(1)
        x = torch.where(replaced.unsqueeze(2), x[other], x)
        target = (1 - share) * target + share * target[other]
    return x, target


def vary(x: Tensor, augment: SequenceAugment) -> Tensor:
    """Return an augmented copy of x [B, T, C]. Each row has its own random draw; inputs that are moved beyond the edge are dropped.

    Source: masks after SpecAugment, Park et al. (2019), arXiv 1904.08779; the shifts and the jitter are ours.
    """
    rows, steps, channels = x.shape
    if augment.shift_channels:
        x = _moved(x.transpose(1, 2), _draw(rows, -augment.shift_channels, augment.shift_channels, x)).transpose(1, 2)
    if augment.shift_steps:
        x = _moved(x, _draw(rows, -augment.shift_steps, augment.shift_steps, x))
    if augment.jitter_steps:
        place = torch.arange(steps, device=x.device).view(1, steps, 1)
        place = place + torch.randint(-augment.jitter_steps, augment.jitter_steps + 1, x.shape, device=x.device)
        kept = x.masked_fill((place < 0) | (place >= steps), 0)
        x = torch.zeros_like(x).scatter_add(1, place.clamp(0, steps - 1), kept)
    if augment.mask_channels:
        x = x.masked_fill(_band(rows, channels, augment.mask_channels, x).unsqueeze(1), 0)
    if augment.mask_steps:
        x = x.masked_fill(_band(rows, steps, augment.mask_steps, x).unsqueeze(2), 0)
    return x


def _stretch(valid: Tensor) -> Tensor:
    """Return a random interval of valid steps for each row, at least one step long: bool [B, T]."""
    count = valid.sum(1, keepdim=True)
    start, length = ((torch.rand(count.shape, device=valid.device) * count).long() for _ in range(2))
    place = valid.cumsum(1) - 1
    return valid & (place >= start) & (place <= start + length)


def _blend(x: Tensor, y: Tensor, probability: float) -> Tensor:
    """Replace entries of each row at random by those of another row of its class, aligned at the centre of mass in time."""
    preference = torch.rand(len(x), len(x), device=x.device) + 1
    # A row without others of its class is paired with itself.
    preference = preference.fill_diagonal_(0).masked_fill(y.unsqueeze(1) != y, -1)
    other = preference.argmax(1)
    centre = _centre(x)
    shift = (centre - centre[other]).round().long().unsqueeze(1)
    chosen = torch.rand(len(x), 1, 1, device=x.device) < probability
    taken = chosen & (torch.rand(x.shape, device=x.device) < 0.5)
    return torch.where(taken, _moved(x[other], shift), x)


def _centre(x: Tensor) -> Tensor:
    """Return the centre of mass of positive inputs along time, in steps, [B]; 0 for silence."""
    weight = x.clamp(min=0).sum(2)
    step = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
    return (weight @ step) / weight.sum(1).clamp(min=torch.finfo(x.dtype).tiny)


def _moved(x: Tensor, shift: Tensor) -> Tensor:
    """Shift each row of x [B, T, C] along T by its own `shift` [B, 1], filling with zeros."""
    origin = torch.arange(x.shape[1], device=x.device) - shift
    moved = x.gather(1, origin.clamp(0, x.shape[1] - 1).unsqueeze(2).expand_as(x))
    return moved.masked_fill(((origin < 0) | (origin >= x.shape[1])).unsqueeze(2), 0)


def _draw(rows: int, low: int, high: int, like: Tensor) -> Tensor:
    """Return random integers from low to high, both included, [rows, 1]."""
    return torch.randint(low, high + 1, (rows, 1), device=like.device)


def _band(rows: int, size: int, longest: int, like: Tensor) -> Tensor:
    """Return a random interval of up to `longest` out of `size` positions for each row: bool [rows, size]."""
    start, length = _draw(rows, 0, size - 1, like), _draw(rows, 0, longest, like)
    place = torch.arange(size, device=like.device)
    return (place >= start) & (place < start + length)
