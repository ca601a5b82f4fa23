"""Data-parallel training with processes started by `torchrun`; each takes its share of every batch."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.utils.data import Sampler

from ...data.base import ShuffledBatches
from ...errors import InputError
from ...layers import BatchNorm
from ..recipe import AnySplits


def first_process() -> bool:
    """Return whether this process writes and prints. It does not need torch's process group."""
    return os.environ.get("RANK", "0") == "0"


def join(accelerate: Any) -> Any:
    """Return the accelerator of this process, after joining the process group if `torchrun` started several."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return accelerate.Accelerator(cpu=several and not torch.cuda.is_available())


@contextlib.contextmanager
def expect_all_alive() -> Iterator[None]:
    """Turn the error of the process group when another process ends into one sentence.

    Raises:
        RuntimeError: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if distributed.is_initialized() and (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise RuntimeError(
                "processes: expected all to keep training, but another one has ended. Start them again with --resume."
            ) from error
        raise


def expect_enough(batch_size: int, splits: AnySplits, processes: int) -> None:
    """Refuse data that leave a process without items.

    Raises:
        InputError: a batch, or the validation data, has fewer items than there are processes.
    """
    count = len(splits.train)
    smallest = min(count % batch_size or batch_size, count)
    for what, has in (("batch_size: expected every batch", smallest), ("valid: expected it", len(splits.valid))):
        if has < processes:
            raise InputError(
                f"{what} to have an item for each of {processes} processes, got {has}. Choose another batch size, or fewer processes."
            )


class Share(Sampler[list[int]]):
    """Share of one process in every batch: each `count`-th item, starting with the `index`-th. Shares do not overlap."""

    def __init__(self, batches: ShuffledBatches, index: int, count: int):
        self.batches, self.index, self.count = batches, index, count

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return (batch[self.index :: self.count] for batch in self.batches)


class SharedBatchNorm(BatchNorm):
    """BatchNorm with the statistics of the whole batch over all processes, so that training equals that of one process."""

    def _normalise(self, flat: Tensor) -> Tensor:
        if not self.training:
            return super()._normalise(flat)
        axes = [0, *range(2, flat.dim())]
        shape = [1, -1, *[1] * (flat.dim() - 2)]
        x = flat.float()
        count = _summed(x.new_tensor(x[:, 0].numel()))
        mean = _summed(x.sum(axes)) / count
        centred = x - mean.view(shape)
        var = _summed(centred.square().sum(axes)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(flat.dtype)


class _Sum(torch.autograd.Function):
    """Sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """The backward pass needs no saved tensors."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _summed(grads[0])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], x: Tensor) -> tuple[Tensor, int | None]:
        return _summed(x), in_dims[0]


def _summed(x: Tensor) -> Tensor:
    """Return the sum over all processes."""
    return _Sum.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def share_statistics(network: nn.Module) -> None:
    """Replace every BatchNorm of a network by a `SharedBatchNorm`."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is BatchNorm:
                shared = SharedBatchNorm(child.size, child.eps, child.momentum)
                shared.load_state_dict(child.state_dict())
                setattr(module, name, shared)
