"""Configuration of the models for transformers, and the arguments that they take."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from transformers import PreTrainedConfig

from ...checks import suggestion
from ...errors import InputError, InputTypeError
from .blocks import Spikes
from .initialisation import Start
from .network import SpikeGPTConfig
from .neurons import PUBLISHED, NeuronConfig

_OURS = {"width": "hidden_size", "layers": "num_hidden_layers"}
"""Fields of `SpikeGPTConfig` with another name in transformers."""


class SpikeGPTPreTrainedConfig(PreTrainedConfig):
    """Configuration of the models: the fields of `SpikeGPTConfig`, the loss and the pooling.

    Args:
        vocab_size, spikes, start, channel_first, dropout, v_threshold, binary_embedding, halve_stream, decay_rank, window: as in
            `SpikeGPTConfig`.
        hidden_size: `width` of `SpikeGPTConfig`.
        num_hidden_layers: `layers` of `SpikeGPTConfig`.
        l2_wrap: apply `l2_wrap` to the training loss, as published.
        neurons: fields of `NeuronConfig` by name; None for the published neurons.
        pooling: hidden state that a classifier uses: "last", that of the last token that is not padding, or "mean" over all of these.
        tie_word_embeddings: must be False.
        pad_token_id, bos_token_id, eos_token_id: tokens of padding, of the start of a text and of its end, where `generate` stops.
        more: arguments of `PreTrainedConfig`.
    Raises:
        InputError: an argument is out of range.
    """

    model_type = "spikegpt"
    keys_to_ignore_at_inference = ["state"]

    def __init__(
        self,
        vocab_size: int = 256,
        hidden_size: int = 512,
        num_hidden_layers: int = 12,
        spikes: Spikes = "output",
        start: Start = "pytorch",
        channel_first: bool = False,
        dropout: float = 0.03,
        v_threshold: float = 1.0,
        binary_embedding: bool = True,
        halve_stream: bool = False,
        neurons: Mapping[str, Any] | None = None,
        decay_rank: int = 0,
        window: int = 0,
        l2_wrap: bool = True,
        pooling: str = "last",
        tie_word_embeddings: bool = False,
        pad_token_id: int | None = None,
        bos_token_id: int | None = None,
        eos_token_id: int | list[int] | None = None,
        **more: Any,
    ):
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.spikes, self.start, self.channel_first, self.dropout = spikes, start, channel_first, dropout
        self.v_threshold, self.binary_embedding, self.halve_stream = v_threshold, binary_embedding, halve_stream
        self.neurons = None if neurons is None else dict(neurons)
        self.decay_rank, self.window = decay_rank, window
        self.l2_wrap, self.pooling = l2_wrap, pooling
        self.pad_token_id, self.bos_token_id, self.eos_token_id = pad_token_id, bos_token_id, eos_token_id
        if tie_word_embeddings:
            raise InputError(
                "tie_word_embeddings: expected False, because the embedding of SpikeGPT is binary and its head is not. Remove it."
            )
        if pooling not in ("last", "mean"):
            raise InputError(f"pooling: expected 'last' or 'mean', got {pooling!r}. Choose one of them.")
        super().__init__(tie_word_embeddings=False, **more)
        self.network_config()

    def network_config(self) -> SpikeGPTConfig:
        """Return the configuration of the network."""
        values = {field.name: getattr(self, _OURS.get(field.name, field.name)) for field in fields(SpikeGPTConfig)}
        return SpikeGPTConfig(**values | {"neurons": self._neurons()})

    def _neurons(self) -> NeuronConfig:
        known = [field.name for field in fields(NeuronConfig)]
        for name in self.neurons or {}:
            if name not in known:
                raise InputError(f"neurons: expected the fields {', '.join(known)}, got {name!r}.{suggestion(name, known)}")
        return NeuronConfig(**self.neurons or {})

    @classmethod
    def of(cls, network: SpikeGPTConfig, **more: Any) -> "SpikeGPTPreTrainedConfig":
        """Create the configuration of the models from that of a network.

        Args:
            network: configuration of the network.
            more: further arguments of this class.
        """
        values = {_OURS.get(field.name, field.name): getattr(network, field.name) for field in fields(network)}
        values["neurons"] = None if network.neurons == PUBLISHED else asdict(network.neurons)
        return cls(**values, **more)


_WITHOUT_EFFECT = {"position_ids", "cache_position", "output_attentions", "head_mask", "token_type_ids"}
"""Arguments of other models that change nothing here."""
_INNER = {"inputs_embeds", "output_hidden_states", "past_key_values"} | _WITHOUT_EFFECT
_LOSS = {"num_items_in_batch", "ignore_index", "shift_labels"}


def expect_known(more: dict[str, Any]) -> None:
    """Refuse names that no model has, which would otherwise be misspelt in silence."""
    for name in more.keys() - _WITHOUT_EFFECT:
        known = [*_INNER, *_LOSS, "input_ids", "attention_mask", "state", "labels", "use_cache", "return_dict", "logits_to_keep"]
        raise InputTypeError(f"{name}: expected an argument of the model, got an unknown one.{suggestion(name, known)}")


def passed(more: dict[str, Any]) -> dict[str, Any]:
    """Take the arguments of `SpikeGPTModel` out of those that follow; what remains are those of the loss."""
    expect_known({name: value for name, value in more.items() if name not in _INNER | _LOSS})
    return {name: more.pop(name) for name in list(more) if name in _INNER}
