"""Contents of an export of an image network: the integer network with its decision, exit rule and abstention."""

from dataclasses import dataclass, field

import numpy as np

from ..data.speech.integer_base import Ints
from ..errors import InputError
from ..exits import ExitRule
from ..models import Decision
from .answering import Answering
from .image_network import IntegerImageNetwork


@dataclass(frozen=True)
class DeployedImage(Answering):
    """An image network that is complete: from bytes to a decision, in whole numbers.

    Raises:
        InputError: a part has no integer form, or the parts do not fit together.
    """

    network: IntegerImageNetwork
    labels: tuple[str, ...]
    decision: Decision = field(default_factory=lambda: Decision("sum"))
    rule: ExitRule | None = None
    """When to stop early; None runs all steps."""
    abstain: float = 0.0
    """Probability below which there is no answer."""

    def __post_init__(self) -> None:
        self.expect_decision(self.network.outputs)

    @property
    def unit(self) -> float:
        return self.network.unit

    @property
    def step(self) -> int:
        """Number of values of an image."""
        return int(np.prod(self.network.image))

    def totals(self, values: Ints) -> Ints:
        """Accumulated outputs after every step, [T, K], of an image of bytes [height * width * channels].

        Raises:
            InputError: these are no bytes, or not those of one image.
        """
        if values.shape != (self.step,) or values.min() < 0 or values.max() > 255:
            raise InputError(f"clips: expected images of {self.step} bytes, got shape {list(values.shape)}. Take them from bytes_of().")
        currents = self.network.currents(values.reshape(1, *self.network.image))
        outputs, _, _ = self.network.run(currents[:, None], self.network.presented)
        return self.totalled(outputs[0])
