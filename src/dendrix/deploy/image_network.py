"""Spiking image networks in whole numbers, as modules over time."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..core import State, expect, expect_count, expect_finite, expect_floating, expect_valid, find_kernel, kernel, zero_invalid
from ..errors import InputError
from ..models.converted import StillImageNetwork
from . import image_reference as reference
from .image_layout import Stage, StageForm, image_plan, image_tables, read_tables
from .integer_layer import Ints


class ImageState(NamedTuple):
    """State of an integer image network."""

    memory: Tensor
    """Membranes, and spikes sent by signed neurons, int32 [B, S]."""
    steps: Tensor
    """Number of steps so far, int64 [B]."""


class ImageEncoding(nn.Module):
    """Currents of images: a module without weights, so that the energy meter sees how often they are computed."""

    def forward(self, pixels: Tensor, network: "IntegerImageNetwork") -> Tensor:
        """Currents [B, H, W, C] of images of bytes [B, H, W, C], int64 both."""
        return torch.from_numpy(network.currents(pixels.numpy()))


class IntegerImageNetwork(StillImageNetwork):
    """Spiking image network in whole numbers: currents [B, T, H, W, C] -> outputs [B, T, K], float64. Made by `quantise`.

    `encode` rounds images to bytes and computes the currents, whole numbers as float64; an output is a whole number times a unit.
    `image_reference` has the equations. Equal images give equal outputs on every machine, in any batch and in any chunks.

    Args:
        image: height, width and channels of an image.
        centre: byte that is subtracted from the pixels of each channel.
        stages: sizes and kinds of the stages, as `StageForm` or a dict of its fields.
        unit: value of one unit of the outputs.
        steps: number of steps for which an image is presented.
        longest: number of steps within which nothing overflows; more are refused.
        weight_bits: bits of a weight.
    """

    weights: Tensor
    constants: Tensor

    def __init__(
        self,
        image: Sequence[int],
        centre: Sequence[int],
        stages: Sequence[StageForm | dict[str, Any]],
        unit: float,
        steps: int,
        longest: int,
        weight_bits: int = 8,
    ):
        super().__init__()
        height, width, channels = (expect_count(size, "[1, inf)", "image") for size in image)
        self.image, self.centre = (height, width, channels), tuple(expect_count(value, "[0, 255]", "centre") for value in centre)
        self.forms = tuple(StageForm.from_dict(form) if isinstance(form, dict) else form for form in stages)
        self.unit, self.weight_bits = float(unit), weight_bits
        self._presented = expect_count(steps, "[1, 32767]", "steps")
        self.longest = expect_count(longest, "[1, 32767]", "longest")
        self.plan = image_plan(self.image, self.forms)
        self.encoding = ImageEncoding()
        self.register_buffer("weights", torch.zeros(self.plan.weights, dtype=torch.int8))
        self.register_buffer("constants", torch.zeros(self.plan.constants, dtype=torch.int32))

    @classmethod
    def of(cls, stages: Sequence[Stage], weight_bits: int = 8, **settings: Any) -> "IntegerImageNetwork":
        """Make a network of these stages.

        Args:
            stages: the stages with their integers.
            weight_bits: bits of a weight.
            **settings: the other arguments of the constructor.
        """
        network = cls(stages=[stage.form for stage in stages], weight_bits=weight_bits, **settings)
        weights, constants = image_tables(stages)
        for name, numbers, limit in (("weights", weights, 2**7), ("constants", constants, 2**31)):
            if (numbers < -limit).any() or (numbers >= limit).any():
                raise InputError(f"{name}: expected whole numbers in [{-limit}, {limit}), got others. Quantise with larger units.")
        network.weights.copy_(torch.from_numpy(weights))
        network.constants.copy_(torch.from_numpy(constants))
        return network

    def arguments(self) -> dict[str, Any]:
        stages = [asdict(form) for form in self.forms]
        sizes = dict(image=list(self.image), centre=list(self.centre), unit=self.unit, steps=self.presented, longest=self.longest)
        return dict(stages=stages, weight_bits=self.weight_bits, **sizes)

    @property
    def presented(self) -> int:
        return self._presented

    @property
    def outputs(self) -> int:
        """Number of classes, K."""
        return self.forms[-1].shape[2]

    def stages(self) -> list[Stage]:
        """The stages with named arrays."""
        weights, constants = (part.numpy().astype(np.int64) for part in (self.weights, self.constants))
        return read_tables(self.image, self.forms, weights, constants)

    def bytes_of(self, images: Tensor) -> Ints:
        """Images [B, C, H, W], 0 to 1, as bytes [B, H, W, C]."""
        height, width, channels = self.image
        expect(images, "B C H W", "images", C=channels, H=height, W=width)
        expect_floating(images, "images")
        expect_finite(images, "images")
        whole = np.floor(images.detach().cpu().double().numpy() * 255 + 0.5)
        found: Ints = np.clip(whole, 0, 255).astype(np.int64).transpose(0, 2, 3, 1)
        return found

    def encode(self, images: Tensor, steps: int | None = None) -> Tensor:
        """Compute the currents into the first neurons, whole numbers as float64 [B, T, H, W, C], the same at every step.

        Args:
            images: [B, C, H, W], 0 to 1.
            steps: T; None for the number of steps of the network.
        """
        steps = self.presented if steps is None else expect_count(steps, "[1, inf)", "steps")
        currents: Tensor = self.encoding(torch.from_numpy(self.bytes_of(images)), self).double().unsqueeze(1)
        return currents.expand(-1, steps, *currents.shape[2:])

    def currents(self, pixels: Ints) -> Ints:
        """Currents [B, H, W, C] of images of bytes [B, H, W, C]."""
        centred = pixels - np.array(self.centre, np.int64)
        if fused := find_kernel(ENCODE, "cpu", self, centred):
            found: Ints = fused.run(self, centred)
            return found
        return reference.encode(self.stages(), centred)

    def init_state(self, batch: int) -> ImageState:
        """State of `batch` rows before their first step."""
        memory = np.zeros(self.plan.memory, np.int32)
        for stage, row in zip(self.stages(), self.plan.stages, strict=True):
            if stage.form.fires:
                memory[row[9] : row[9] + stage.form.size] = np.tile(stage.start, stage.form.size // len(stage.start))
        return ImageState(torch.from_numpy(memory).expand(batch, -1).clone(), torch.zeros(batch, dtype=torch.int64))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        height, width, channels = self.forms[0].shape
        expect(x, "B T H W C", H=height, W=width, C=channels)
        expect_floating(x)
        expect_valid(valid, x)
        still = x.stride(1) == 0 and valid is None
        given = x[:, :1] if still else zero_invalid(x, valid)
        expect_finite(given)
        mask = np.ones(x.shape[:2], bool) if valid is None else valid.cpu().numpy()
        outputs, after, _ = self.run(given.double().round().long().numpy(), x.shape[1], state, mask)
        return torch.from_numpy(outputs * self.unit), after

    def run(self, currents: Ints, steps: int, state: State = None, valid: Any = None) -> tuple[Ints, ImageState, Ints]:
        """Run integer currents.

        Args:
            currents: as `currents` gives them, with an axis of steps, [B, T, H, W, C]; or [B, 1, H, W, C], the same at every step.
            steps: T.
            state: what the last call returned; None from rest.
            valid: bool [B, T].
        Returns:
            integer outputs [B, T, K], the next state, and the number of synaptic operations of each stage [S] (zero in the reference).
        Raises:
            InputError: a row would run for more steps than `longest`.
        """
        before = self._checked(state, len(currents))
        mask = np.ones((len(currents), steps), bool) if valid is None else valid
        reached = before.steps + torch.from_numpy(mask.sum(1))
        if len(reached) and int(reached.max()) > self.longest:
            raise InputError(f"x: expected at most {self.longest} steps, within which nothing overflows, got {int(reached.max())}.")
        if fused := find_kernel(RUN, "cpu", self, currents):
            outputs, memory, operations = fused.run(self, currents, mask, before.memory.numpy())
        else:
            outputs, memory = reference.run(self.stages(), self.plan, currents, steps, mask, before.memory.numpy().astype(np.int64))
            operations = np.zeros(len(self.forms), np.int64)
        return outputs, ImageState(torch.from_numpy(memory.astype(np.int32)), reached), operations

    def _checked(self, state: State, batch: int) -> ImageState:
        if state is None:
            return self.init_state(batch)
        shape = (batch, self.plan.memory)
        if isinstance(state, ImageState) and state.memory.shape == shape and state.memory.dtype == torch.int32:
            return state
        came = list(state.memory.shape) if isinstance(state, ImageState) else type(state).__name__
        raise InputError(f"state: expected ImageState of shape {list(shape)}, got {came}. Pass what the last call returned.")


ENCODE, RUN = "integer_image_encode", "integer_image_network"
"""Names of the operations in the table of kernels."""


@kernel(ENCODE, "cpu", refuses=lambda *_: None)  # the compiled loops take whatever the reference takes
def encode_compiled(network: IntegerImageNetwork, centred: Ints) -> Ints:
    """`IntegerImageNetwork.currents` by compiled loops."""
    from . import image_loops  # numba loads in 0.4 s

    found = np.empty((len(centred), *network.forms[0].shape), np.int64)
    tables = network.plan.stages, network.plan.edges, network.weights.numpy(), network.constants.numpy()
    call: Any = image_loops.encode_images
    call(np.ascontiguousarray(centred, np.int32), *tables, found)
    return found


@kernel(RUN, "cpu", refuses=lambda *_: None)
def run_compiled(network: IntegerImageNetwork, currents: Ints, valid: Any, memory: Any) -> tuple[Ints, Any, Ints]:
    """`IntegerImageNetwork.run` by compiled loops."""
    from . import image_loops

    after, operations = memory.copy(), np.zeros(len(network.forms), np.int64)
    outputs = np.zeros((*valid.shape, network.outputs), np.int64)
    tables = network.plan.stages, network.plan.edges, network.weights.numpy(), network.constants.numpy()
    flat = np.ascontiguousarray(currents).reshape(*currents.shape[:2], -1)
    call: Any = image_loops.run_images
    call(flat, valid, *tables, after, np.zeros(network.plan.maps, np.int32), outputs, operations)
    return outputs, after, operations
