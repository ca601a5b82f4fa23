"""Device functions shared by the Triton kernels: where a program stands, and the pieces of a neuron's step.

A program owns one row of the batch and one block of columns, and walks through time alone, so no two programs meet.
Every product and sum is written in the order of the reference rule and launched without fused multiply-add: the spikes are the same.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

HALF_PI = tl.constexpr(1.5707963267948966)

# Steps of input in flight: the loads of later steps do not wait for the membrane.
STAGES = tl.constexpr(4)


def launch_shape(x: Tensor) -> tuple[tuple[int], dict[str, int | bool]]:
    """The grid for x [B, T, M] and its compile-time options: one column per thread, blocks no wider than the data."""
    batch, _, columns = x.shape
    block = min(128, max(32, triton.next_power_of_2(columns)))
    return (batch * triton.cdiv(columns, block),), dict(BLOCK=block, num_warps=block // 32, enable_fp_fusion=False)


def scratch_like(grad_x: Tensor) -> Tensor:
    """Float32 room for one value per step: the gradient's own buffer where its dtype allows."""
    return grad_x if grad_x.dtype == torch.float32 else torch.empty_like(grad_x, dtype=torch.float32)


@triton.jit
def place(T, M, BLOCK: tl.constexpr):
    """This program's row, the offsets of its columns in [B, T, M] at t = 0 and in [B, M], its columns, and which of them exist."""
    blocks = (M + BLOCK - 1) // BLOCK
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    return row, row * T * M + columns, row * M + columns, columns, columns < M


@triton.jit
def is_valid(valid, index):
    """Whether the step at flat index [B, T] counts; without a mask all do."""
    return index >= 0 if valid is None else tl.load(valid + index) != 0


@triton.jit
def load(pointers, inside):
    return tl.load(pointers, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def load_step(pointers, inside, ok):
    """One step as float32, zero where it does not count: an invalid NaN goes no further."""
    return tl.where(ok, load(pointers, inside), 0.0)


@triton.jit
def charge(v, x, decay, SCALE_INPUT: tl.constexpr):
    """The membrane before the spike; see `lif_step`."""
    return v + (1 - decay) * (x - v) if SCALE_INPUT else decay * v + x


@triton.jit
def charge_backward(grad_h, v, x, decay, SCALE_INPUT: tl.constexpr):
    """Gradients of `charge` with respect to x and decay; the one for v is decay * grad_h in both forms."""
    if SCALE_INPUT:
        grad_x = (1 - decay) * grad_h
        grad_decay = grad_h * (v - x)
    else:
        grad_x = grad_h
        grad_decay = grad_h * v
    return grad_x, grad_decay


@triton.jit
def fire(h, v_threshold):
    """1 where the membrane reaches the threshold, else 0."""
    return (h - v_threshold >= 0).to(tl.float32)


@triton.jit
def reset(h, s, v_threshold, v_reset):
    """The membrane after the spike: subtract the threshold (`v_reset` None), or go to `v_reset`."""
    return h - s * v_threshold if v_reset is None else (1 - s) * h + s * v_reset


@triton.jit
def fire_backward(grad_s, grad_v, h, v_threshold, v_reset, width, SURROGATE: tl.constexpr, DETACH: tl.constexpr):
    """Gradient of the spike and the reset with respect to h, from those of the spike and of the membrane after it."""
    s = fire(h, v_threshold)
    slope = surrogate_slope(h - v_threshold, width, SURROGATE)
    if v_reset is None:
        kept = grad_v
        jump = -v_threshold
    else:
        kept = grad_v * (1 - s)
        jump = v_reset - h
    if not DETACH:
        grad_s += grad_v * jump
    return grad_s * slope + kept


@triton.jit
def surrogate_slope(u, width, SURROGATE: tl.constexpr):
    """The derivative of the surrogate; `width` is the `alpha` of the first two and the width of the others."""
    if SURROGATE == "atan":
        z = HALF_PI * width * u
        slope = width / 2 / (1 + z * z)
    elif SURROGATE == "sigmoid":
        e = tl.exp(-tl.abs(width * u))
        slope = width * e / ((1 + e) * (1 + e))
    elif SURROGATE == "triangle":
        slope = tl.maximum(1 - tl.abs(u) / width, 0.0) / width
    else:
        tl.static_assert(SURROGATE == "boxcar")
        slope = tl.where(tl.abs(u) < width, 0.5 / width, 0.0)
    return slope
