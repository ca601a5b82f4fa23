"""SpikeGPT as a classifier of texts: after every token it answers, and the last or the mean answer is the decision."""

from torch import Tensor, nn

from ...core import State, zero_invalid
from ...errors import InputError
from .network import SpikeGPTBody, SpikeGPTConfig

ARCHITECTURE = "SpikeGPTForSequenceClassification"
"""What the configuration of its folder calls it, which transformers reads too."""


class SpikeGPTClassifier(SpikeGPTBody):
    """Tokens int64 [B, T] -> outputs of every token [B, T, K], not accumulated; see `SpikeGPTBody`.

    `Decision("last")` or `Decision("mean")` makes the decision of a text: as the head is linear, the mean of its outputs is its output for
    the mean of what it reads.

    Args:
        config: what it is made of.
        outputs: classes, K.
    """

    def __init__(self, config: SpikeGPTConfig, outputs: int):
        super().__init__(config)
        if outputs < 2:
            raise InputError(f"outputs: expected at least 2 classes, got {outputs}.")
        self.classifier = nn.Linear(config.width, outputs)
        nn.init.zeros_(self.classifier.weight)  # whatever came before, training begins with no opinion
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        hidden, state = super().forward(x, state, valid)
        return zero_invalid(self.classifier(hidden), valid), state
