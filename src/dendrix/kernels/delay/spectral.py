"""Convolution of a delay layer in the frequency domain, by real matrix products.

A discrete Fourier transform of N points is a product with a matrix of cosines and sines, and a complex product is three real products.
The convolution is y = E((A x) * (C kernel)), where A, C and E are small constant matrices and * is one product of a [B, C] with a [C, H]
matrix at each of about 1.5 N points; the sum over lags needs one at each of L lags and T steps. The transposed matrices give the
gradients. Points are processed in blocks to limit memory. Long sequences are divided into windows that overlap by L - 1 steps.

Source: ours; the convolution theorem, with the three-product form of complex multiplication (Gauss).
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_FILTERS = 3_000_000
"""Elements of the spectrum of the kernel in one block of points, 12 MB in float32; smaller blocks would read and write the sums more
often."""
_SPECTRA = 1_000_000
"""Elements of the spectra of one group of rows, 4 MB in float32, which stay in the cache between the transforms and the products."""


class Window(NamedTuple):
    """Division of time into `pieces` windows of `steps` outputs each."""

    pieces: int
    steps: int


class _Points(NamedTuple):
    analyse: Tensor  # of the input, [R, N]
    kernel: Tensor  # of the kernel, [R, L]
    combine: Tensor  # from the products to the outputs, [S, R]


def rank(steps: int, taps: int) -> int:
    """Number of points R for a window of `steps` outputs: three for each complex frequency, one for each real one."""
    size = steps + taps - 1
    return 3 * ((size + 1) // 2 - 1) + 2 - size % 2


@lru_cache(maxsize=64)
def _points(steps: int, taps: int, dtype: torch.dtype) -> _Points:
    size = steps + taps - 1
    frequency = torch.arange(size // 2 + 1, dtype=torch.float64).unsqueeze(1) * (2 * torch.pi / size)

    def waves(first: int, count: int) -> tuple[Tensor, Tensor]:
        angle = frequency * torch.arange(first, first + count, dtype=torch.float64)
        return angle.cos(), angle.sin()

    x_cos, x_sin = waves(0, size)
    k_cos, k_sin = waves(0, taps)
    y_cos, y_sin = waves(taps - 1, steps)
    paired = torch.ones(len(frequency), dtype=torch.bool)
    paired[0] = False  # the mean has no sine, and neither has the fastest wave of an even size
    paired[-1] &= size % 2 == 1
    share = (1 + paired.double().unsqueeze(1)) / size
    # Each pair (a - ib)(c - id) takes the products ac, bd and (a - b)(c - d).
    combine = [share * (y_cos + paired.unsqueeze(1) * y_sin), share * (y_sin - y_cos), -share * y_sin]
    parts = (
        torch.cat([x_cos, x_sin[paired], (x_cos - x_sin)[paired]]),
        torch.cat([k_cos, k_sin[paired], (k_cos - k_sin)[paired]]),
        torch.cat([combine[0], combine[1][paired], combine[2][paired]]).t().contiguous(),
    )
    return _Points(*(part.to(dtype) for part in parts))


class _Problem(NamedTuple):
    """One convolution: its windows, the constant matrices, and how many points a block and how many rows a group takes."""

    window: Window
    points: _Points
    block: int
    group: int

    def blocks(self) -> Iterator[tuple[_Points, float]]:
        """The points of each block, and the factor of the sums before it: 0 for the first, as filling them with zeros takes longer."""
        for low in range(0, len(self.points.kernel), self.block):
            part = slice(low, low + self.block)
            yield _Points(self.points.analyse[part], self.points.kernel[part], self.points.combine[:, part]), float(low > 0)

    def groups(self, count: int) -> list[slice]:
        """The rows of each group, of `count` in all."""
        return [slice(low, min(low + self.group, count)) for low in range(0, count, self.group)]


def _problem(x: Tensor, kernel: Tensor, past: int, window: Window) -> _Problem:
    taps, inputs, outputs = kernel.shape
    points = _points(window.steps, taps, x.dtype)
    if window.pieces == 1:  # the steps before the start are zero: leave their columns out
        points = points._replace(analyse=points.analyse[:, taps - 1 - past :])
    block = min(len(points.kernel), max(8, _FILTERS // (inputs * outputs)))
    rows = x.shape[0] * window.pieces
    return _Problem(window, points, block, min(rows, max(16, _SPECTRA // (block * (inputs + outputs)))))


def _cut(x: Tensor, taps: int, past: int, window: Window) -> Tensor:
    """The windows of x [B, past + T, C] with the L - 1 steps before each, [B * pieces, N, C]; x itself where there is one."""
    if window.pieces == 1:
        return x
    pieces, steps = window
    lead = taps - 1 - past
    padded = torch.nn.functional.pad(x, (0, 0, lead, taps - 1 + pieces * steps - lead - x.shape[1]))
    return padded.unfold(1, steps + taps - 1, steps).transpose(2, 3).flatten(0, 1)


def _join(windows: Tensor, taps: int, past: int, window: Window, length: int) -> Tensor:
    """The transpose of `_cut`: sum overlapping windows back into [B, length, C]."""
    if window.pieces == 1:
        return windows
    pieces, steps = window
    size = steps + taps - 1
    windows = windows.view(-1, pieces, size, windows.shape[2])
    total = windows.new_zeros(windows.shape[0], taps - 1 + pieces * steps, windows.shape[3])
    for index in range(pieces):
        total[:, index * steps : index * steps + size] += windows[:, index]
    lead = taps - 1 - past
    return total[:, lead : lead + length].contiguous()


def _scratch(like: Tensor, size: int) -> Callable[..., Tensor]:
    """A buffer that every block reuses, to avoid page faults; `room(*shape)` is a view of its beginning."""
    room = like.new_empty(size)
    return lambda *shape: room[: math.prod(shape)].view(shape)


def forward(x: Tensor, kernel: Tensor, past: int, window: Window) -> Tensor:
    """y of `delay_conv`: x [B, past + T, C], kernel [L, C, H] -> [B, T, H]."""
    taps, inputs, outputs = kernel.shape
    steps = x.shape[1] - past
    problem = _problem(x, kernel, past, window)
    rows = _cut(x, taps, past, window)
    count = len(rows)
    filters, room = _scratch(x, problem.block * inputs * outputs), problem.block * problem.group
    spectra, products = _scratch(x, room * inputs), _scratch(x, room * outputs)
    y = x.new_empty(count, window.steps, outputs)
    for part, beta in problem.blocks():
        n = len(part.kernel)
        filtering = torch.mm(part.kernel, kernel.view(taps, -1), out=filters(n, inputs * outputs)).view(n, inputs, outputs)
        for group in problem.groups(count):
            size = group.stop - group.start
            spectrum = torch.bmm(part.analyse.expand(size, -1, -1), rows[group], out=spectra(size, n, inputs))
            product = torch.bmm(spectrum.transpose(0, 1), filtering, out=products(n, size, outputs))
            y[group].baddbmm_(part.combine.expand(size, -1, -1), product.transpose(0, 1), beta=beta)
    return y.view(x.shape[0], -1, outputs)[:, :steps].contiguous()


def backward(grad: Tensor, x: Tensor, kernel: Tensor, past: int, window: Window, need_x: bool) -> tuple[Tensor | None, Tensor]:
    """Gradients of x (None unless `need_x`) and of the kernel, from grad [B, T, H]."""
    taps, inputs, outputs = kernel.shape
    problem = _problem(x, kernel, past, window)
    rows = _cut(x, taps, past, window)
    count = len(rows)
    if missing := window.pieces * window.steps - grad.shape[1]:  # padding by zero steps would copy
        grad = torch.nn.functional.pad(grad, (0, 0, 0, missing))
    grad = grad.reshape(count, window.steps, outputs)
    room, whole = problem.block * problem.group, problem.block * inputs * outputs
    spectra, gradients, sums = _scratch(x, room * inputs), _scratch(x, room * outputs), _scratch(x, whole)
    filters = _scratch(x, whole) if need_x else None
    grad_rows = torch.empty_like(rows, memory_format=torch.contiguous_format) if need_x else None
    grad_kernel = torch.empty_like(kernel, memory_format=torch.contiguous_format)
    for part, beta in problem.blocks():
        n = len(part.kernel)
        total = sums(n, inputs, outputs)
        filtering = (
            torch.mm(part.kernel, kernel.view(taps, -1), out=filters(n, inputs * outputs)).view(n, inputs, outputs) if filters else None
        )
        for group in problem.groups(count):
            size = group.stop - group.start
            back = torch.bmm(part.combine.t().expand(size, -1, -1), grad[group], out=gradients(size, n, outputs)).transpose(0, 1)
            spectrum = torch.bmm(part.analyse.expand(size, -1, -1), rows[group], out=spectra(size, n, inputs))
            total.baddbmm_(spectrum.permute(1, 2, 0), back, beta=float(group.start > 0))
            if grad_rows is not None and filtering is not None:
                product = torch.bmm(back, filtering.transpose(1, 2), out=spectra(n, size, inputs))
                grad_rows[group].baddbmm_(part.analyse.t().expand(size, -1, -1), product.transpose(0, 1), beta=beta)
        grad_kernel.view(taps, -1).addmm_(part.kernel.t(), total.flatten(1), beta=beta)
    return None if grad_rows is None else _join(grad_rows, taps, past, window, x.shape[1]), grad_kernel
