"""Contents of an export: an integer network with its front end, decision, exit rule and abstention."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..data import IntegerEncoder
from ..data.speech.integer_base import Ints
from ..errors import InputError
from ..exits import ExitRule, IntegerMargin, IntegerProbability
from ..models import Decision
from .answering import Answering
from .image_network import IntegerImageNetwork
from .network import IntegerNetwork
from .samples import expect_samples


@dataclass(frozen=True)
class Deployed(Answering):
    """A network that is complete: from samples or frames to a decision, in whole numbers.

    Raises:
        InputError: a part has no integer form, or the parts do not fit together.
    """

    network: IntegerNetwork
    labels: tuple[str, ...]
    decision: Decision
    encoder: IntegerEncoder | None = None
    """None: frames are pushed."""
    dt_ms: float = 1.0
    """Length of a step, in ms."""
    rule: ExitRule | None = None
    """When to stop early; None runs to the end."""
    abstain: float = 0.0
    """Probability below which there is no answer."""

    def __post_init__(self) -> None:
        if self.encoder is not None and not isinstance(self.encoder, IntegerEncoder):
            raise InputError(
                f"encoder: expected one in whole numbers, got {type(self.encoder).__name__}. Make it with dendrix.deploy.integer_encoder."
            )
        if self.encoder is not None and (self.encoder.channels, self.encoder.fraction) != (
            self.network.inputs.channels,
            self.network.inputs.shift,
        ):
            raise InputError(
                f"encoder: expected the form of the input {self.network.inputs}, got {self.encoder}. Make it for this network."
            )
        self.expect_decision(self.network.forms[-1].outputs)

    @property
    def unit(self) -> float:
        return self.network.unit

    @property
    def tail(self) -> int:
        """Number of steps without input that follow the end of an input."""
        return self.decision.tail_steps(self.dt_ms)

    def frames(self, values: Ints) -> Ints:
        """Frames [T, C], without the tail, of 16-bit samples or of the values of frames one after another, [N]; the last one is filled.

        Raises:
            InputError: see `expect_samples`.
        """
        values = expect_samples(values, "values")
        whole = np.pad(values, (0, -len(values) % self.step))
        if self.encoder is None:
            frames = whole.reshape(-1, self.network.inputs.channels)
        else:
            frames, _ = self.encoder.run(whole, self.encoder.init_state())
        return np.clip(frames, self.network.inputs.low, -self.network.inputs.low - 1)

    @property
    def step(self) -> int:
        """Number of values that make one step."""
        return self.network.inputs.channels if self.encoder is None else self.encoder.hop

    def totals(self, values: Ints) -> Ints:
        """Accumulated outputs after every step of an input and its tail, [T, K]."""
        frames = np.pad(self.frames(values), ((0, self.tail), (0, 0)))
        outputs = self.network.run(torch.from_numpy(frames).unsqueeze(0))[0][0].numpy()
        return self.totalled(outputs)


def exit_rule(network: IntegerNetwork | IntegerImageNetwork, decision: Decision, scale: float = 1.0) -> IntegerProbability:
    """The rule max-probability in whole numbers for a network, with a threshold at which it never stops; to be fitted."""
    return IntegerProbability(1.0, scale=scale, unit=network.unit, mean=decision.accumulation == "mean")


def margin_rule(network: IntegerNetwork, decision: Decision) -> IntegerMargin:
    """The rule margin in whole numbers for a network, with a threshold at which it never stops; to be fitted."""
    return IntegerMargin(math.inf, unit=network.unit, mean=decision.accumulation == "mean")
