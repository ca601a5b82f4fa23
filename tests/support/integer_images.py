"""Random integer image networks, and converted networks of every supported part."""

import numpy as np
import torch
from torch import Tensor, nn

from dendrix.deploy import DeployedImage, IntegerImageNetwork, exit_rule
from dendrix.deploy.image_bounds import bound_images
from dendrix.deploy.image_layout import Stage, StageForm
from dendrix.layers import QCFS
from dendrix.lowering.stage_forms import EdgeForm
from dendrix.models import VGG, Converted, ConvertedConfig, Decision, ResNet, ResNetConfig, VGGConfig

STEPS = 9


def _edge(
    rng: np.random.Generator, source: int, shape: tuple[int, int, int], out: tuple[int, int] | None = None
) -> tuple[EdgeForm, list[int]]:
    """A random convolution on a map, and the size of its output; with `out`, one that has this size."""
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if out is None else (1, 1)
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if out is None else (1, 1)
    padding = (int(rng.integers(0, kernel[0])), int(rng.integers(0, kernel[1])))
    size = [(shape[k] + 2 * padding[k] - kernel[k]) // stride[k] + 1 for k in range(2)]
    if min(size) < 1:
        return EdgeForm(source), [shape[0], shape[1]]
    return EdgeForm(source, "conv", kernel, stride, padding, shift=int(rng.integers(0, 4))), size


def random_images_network(rng: np.random.Generator, extreme: bool = False) -> IntegerImageNetwork:
    """Convolutions of random sizes with groups, pools, sums of two maps and a read-out; extreme ones have the largest weights."""
    image = int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.integers(1, 4))
    centre = [int(value) for value in rng.integers(0, 256, image[2])]
    stages: list[Stage] = []
    shapes = [image]

    def add(kind: str, edges: list[EdgeForm], shape: tuple[int, int, int], limit: int = 0) -> None:
        weights = []
        for edge in edges:
            inputs = shapes[edge.source][2]
            size = (inputs, *edge.kernel, shape[2] // edge.groups) if edge.kind == "conv" else (shape[2] if edge.kind == "gain" else 0,)
            found = rng.integers(-127, 128, size)
            weights.append(np.sign(found) * 127 if extreme else found)
        large = 300_000 if extreme else 3000
        constants = (rng.integers(-large, large, shape[2]), rng.integers(1, large, shape[2]), rng.integers(-large, large, shape[2]))
        own = () if kind == "pool" else constants
        stages.append(Stage(StageForm(str(len(stages)), kind, shape, tuple(edges), limit), tuple(weights), *own))
        shapes.append(shape)

    for number in range(int(rng.integers(1, 4))):
        source = len(shapes) - 1
        kind, limit = str(rng.choice(["signed", "if"])), int(rng.integers(0, 4))
        edge, size = _edge(rng, source, shapes[-1])
        groups = shapes[-1][2] if number and rng.integers(2) else 1
        out = groups * int(rng.integers(1, 4)) if groups > 1 else int(rng.choice([3, 16, 32, 5]))
        edge = EdgeForm(**{**vars(edge), "groups": groups})
        add(kind, [edge], (size[0], size[1], out), limit if kind == "signed" else 0)
        if rng.integers(2):  # a block with a shortcut
            here = len(shapes) - 1
            own, _ = _edge(rng, here, shapes[here], (size[0], size[1]))
            add("signed", [own, EdgeForm(here, "gain", shift=int(rng.integers(0, 3)))], shapes[here])
        height, width, channels = shapes[-1]
        if rng.integers(2) and height > 1 and width > 1:
            add("pool", [EdgeForm(len(shapes) - 1, "pool", (2, 2), (2, 2))], (height // 2, width // 2, channels))
    height, width, _ = shapes[-1]
    add("out", [EdgeForm(len(shapes) - 1, "conv", (height, width))], (1, 1, int(rng.integers(2, 6))))
    assert all(bound.proven for bound in bound_images(stages, centre, 16))
    settings = dict(image=image, centre=centre, unit=2.0**-10, steps=STEPS, longest=16)
    return IntegerImageNetwork.of(stages, **settings).eval()


def pixels(rng: np.random.Generator, network: IntegerImageNetwork, count: int) -> list[np.ndarray]:
    """Images of bytes: noise, black, white, and mostly the centre."""
    size = int(np.prod(network.image))
    kinds = [lambda: rng.integers(0, 256, size), lambda: np.zeros(size, np.int64), lambda: np.full(size, 255)]
    flat = np.tile(network.centre, size // len(network.centre))
    kinds.append(lambda: np.where(rng.random(size) < 0.1, rng.integers(0, 256, size), flat))
    return [kinds[k % 4]() for k in range(count)]


def deployed_image(network: IntegerImageNetwork, **options: object) -> DeployedImage:
    """The network with labels and an exit rule."""
    labels = tuple(f"class {k}" for k in range(network.outputs))
    return DeployedImage(network, labels, **({"rule": exit_rule(network, Decision("sum"))} | options))


def _settled(network: nn.Module) -> nn.Module:
    """Random statistics and thresholds, in evaluation mode."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.2, 0.3)
    return network.eval()


def converted(kind: str, **options: object) -> Converted:
    """A converted network of one kind, with random weights."""
    torch.manual_seed(0)
    network = _settled(CONVERTED[kind]())
    size = dict(height=12, width=12, channels=3, outputs=5, steps=STEPS)
    return Converted(ConvertedConfig.of(network, **size, **options), network).eval()


CONVERTED = {
    "vgg": lambda: VGG(VGGConfig(5, threshold=1.0, stages=((16,), (8, 8)), hidden=(12,), grid=3)),
    "resnet": lambda: ResNet(ResNetConfig(5, threshold=1.0, channels_of=(8, 16), blocks=(1, 2))),
    "plain": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), QCFS(4, 1.0), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), QCFS(4, 1.0),
        nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(8 * 9, 5),
    ),
}  # fmt: skip
"""Networks whose parts have an integer form."""


def images(count: int = 8) -> Tensor:
    """Images of bytes, 0 to 1, [B, 3, 12, 12]."""
    return torch.randint(0, 256, (count, 3, 12, 12), generator=torch.Generator().manual_seed(1)) / 255
