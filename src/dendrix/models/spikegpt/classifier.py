"""SpikeGPT for text classification, with an output after every token."""

from typing import Any

from torch import Tensor, nn

from ...core import State, expect_count, zero_invalid
from .network import SpikeGPTBody, SpikeGPTConfig

ARCHITECTURE = "SpikeGPTForSequenceClassification"
"""Name of the architecture in `config.json`, which transformers reads."""


class SpikeGPTClassifier(SpikeGPTBody):
    """Text classifier: tokens int64 [B, T] -> per-token outputs [B, T, K]; see `SpikeGPTBody`.

    `Decision("last")` or `Decision("mean")` gives the class of a text. Since the head is linear, the mean of the outputs equals the output
    for the mean hidden state.

    Args:
        config: configuration of the network.
        outputs: number of classes, K.
    Raises:
        InputError: there are fewer than 2 classes.
    """

    def __init__(self, config: SpikeGPTConfig, outputs: int):
        super().__init__(config)
        self.classifier = nn.Linear(config.width, expect_count(outputs, "[2, inf)", "outputs"))
        nn.init.zeros_(self.classifier.weight)  # equal outputs at the start of training, for pretrained weights as well
        nn.init.zeros_(self.classifier.bias)

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config, outputs=self.classifier.out_features)

    def forward(
        self, x: Tensor, state: State = None, valid: Tensor | None = None, streams: list[Tensor] | None = None
    ) -> tuple[Tensor, State]:
        hidden, state = super().forward(x, state, valid, streams)
        return zero_invalid(self.classifier(hidden), valid), state
