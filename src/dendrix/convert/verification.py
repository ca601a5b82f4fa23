"""Numerical checks of a network whose graph was changed: it still computes the same, image by image."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..errors import InputError
from .tracing import LEVELS, label

_IMAGES = 2


def random_images(example: Tensor) -> Tensor:
    """Two images like those of the example, the same at each call; the global random state is not used."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(_IMAGES, *example.shape[1:], generator=generator).to(example)
    spread = (example - example.mean()).square().mean().sqrt()
    return noise * torch.where(spread > 0, spread, 1) + example.mean()


class Run(fx.Interpreter):
    """Run of a graph on images, with a ceiling in place of levels, because rounding may move a level.

    Args:
        traced: the network.
        originals: modules to call in place of those of the network, by node.
        images: [B, C, ...].
    Attributes:
        result: outputs of the network.
        values: results of all nodes.
    Raises:
        ValueError: the network does not take this number of images.
    """

    def __init__(self, traced: fx.GraphModule, originals: Mapping[fx.Node, nn.Module], images: Tensor):
        super().__init__(traced, garbage_collect_values=False)
        self.extra_traceback = False
        self.originals = originals
        try:
            with torch.no_grad():
                self.result: Tensor = self.run(images.clone())
        except (RuntimeError, IndexError, ValueError) as error:
            raise InputError(
                f"ann: expected a network that takes any number of images, but {label(self.current)} fails for {len(images)}: "
                f"{' '.join(str(error).split())[:200]}. Leave the first axis of activations as it is."
            ) from error
        self.values: dict[fx.Node, Any] = self.env

    def run_node(self, n: fx.Node) -> Any:
        self.current = n
        if n.op != "call_module":
            return super().run_node(n)
        module = self.originals.get(n) or self.fetch_attr(str(n.target))
        if isinstance(module, LEVELS):
            return torch.minimum(self.env[n.all_input_nodes[0]].relu(), module.threshold)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return module(*args, **kwargs)


def expect_same(before: Run, after: Run) -> None:
    """Check that changes of the graph have not changed the function.

    Raises:
        ValueError: the outputs differ.
    """
    if not _close(before.result, after.result):
        raise InputError(
            "ann: expected the same outputs when its modules and functions run one by one, but they differ: "
            "something overwrites in place what is read later. Write x = x + y for x += y, and build activations with inplace=False."
        )


def expect_images_apart(traced: fx.GraphModule, originals: Mapping[fx.Node, nn.Module], images: Tensor) -> None:
    """Check that the outputs of a network for an image, and the inputs of its neurons, do not depend on the other images of a batch.

    The steps of a spiking network are folded into the batch, so that a part that reads the batch axis would read the steps.

    Args:
        traced: the network.
        originals: what its stateful nodes call without time.
        images: at least two, [B, C, ...].
    Raises:
        ValueError: they do; the first such part is named.
    """
    together = Run(traced, originals, images).values
    alone = [Run(traced, originals, image).values for image in images.unsqueeze(1)]
    checked = {node for stateful in originals for node in (stateful, *stateful.all_input_nodes)}
    mixing = [node for node, value in together.items() if isinstance(value, Tensor) and not _apart(value, [one[node] for one in alone])]
    if any(node in checked or node.op == "output" for node in mixing):
        raise InputError(
            f"ann: expected parts that treat images independently, but {label(mixing[0])} depends on the other images of the batch. "
            "Leave the first axis of activations as it is."
        )


def _apart(together: Tensor, alone: list[Tensor]) -> bool:
    """Whether a result for a batch is that of the single images, or a constant."""
    if all(one.shape == together.shape and torch.equal(one, together) for one in alone):
        return True
    return all(one.dim() and one.shape[1:] == together.shape[1:] for one in alone) and _close(torch.cat(alone), together)


def is_affine(module: nn.Module, given: torch.Size, dtype: torch.dtype) -> bool:
    """Whether a module with its hooks is an affine function, tried on random inputs of a shape."""
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(given, generator=generator).to(device, dtype) for _ in range(2))
    with torch.no_grad():
        return _close(module(x) + module(y), module(x + y) + module(torch.zeros_like(x)))


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or not one.is_floating_point():
        return torch.equal(one, other)
    size = torch.stack([one, other]).abs().nan_to_num().amax().item() if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=torch.finfo(one.dtype).eps ** 0.5 * size, equal_nan=True)
