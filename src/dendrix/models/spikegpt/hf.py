"""SpikeGPT as models of Hugging Face transformers; importing this registers the Auto classes. `hf_files` reads and writes their folders."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from ...core import State, rows
from ...errors import InputError
from .blocks import ChannelMix, Spikes, TimeMix
from .initialisation import Start, start, start_head
from .l2_wrap import l2_wrap
from .network import SpikeGPT, SpikeGPTBody, SpikeGPTConfig

_OURS = {"width": "hidden_size", "layers": "num_hidden_layers"}
"""Fields of `SpikeGPTConfig` that have another name in transformers."""


class SpikeGPTPreTrainedConfig(PreTrainedConfig):
    """The fields of `SpikeGPTConfig` (`width` is `hidden_size`, `layers` is `num_hidden_layers`), the loss and the pooling.

    Args:
        l2_wrap: whether training also pulls down the largest logits, as published.
        pooling: what a classifier reads: "last", the last token that is no padding, or "mean" over all of them.
    """

    model_type = "spikegpt"

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
        l2_wrap: bool = True,
        pooling: str = "last",
        tie_word_embeddings: bool = False,
        **more: Any,
    ):
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.spikes, self.start, self.channel_first, self.dropout = spikes, start, channel_first, dropout
        self.v_threshold, self.binary_embedding, self.halve_stream = v_threshold, binary_embedding, halve_stream
        self.l2_wrap, self.pooling = l2_wrap, pooling
        if tie_word_embeddings:
            raise InputError("tie_word_embeddings: expected False, as SpikeGPT's embedding is bits and its head is not. Leave it out.")
        if pooling not in ("last", "mean"):
            raise InputError(f"pooling: expected 'last' or 'mean', got {pooling!r}.")
        super().__init__(tie_word_embeddings=False, **more)
        self.network_config()

    def network_config(self) -> SpikeGPTConfig:
        """What the network is made of."""
        return SpikeGPTConfig(**{field.name: getattr(self, _OURS.get(field.name, field.name)) for field in fields(SpikeGPTConfig)})

    @classmethod
    def of(cls, network: SpikeGPTConfig, **more: Any) -> "SpikeGPTPreTrainedConfig":
        """The configuration of a network; `more` are further arguments."""
        return cls(**{_OURS.get(field.name, field.name): getattr(network, field.name) for field in fields(network)}, **more)


@dataclass
class SpikeGPTOutput(ModelOutput):
    """What the models return; `state` goes into the next call with the tokens that follow."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    state: Any = None


class SpikeGPTPreTrainedModel(PreTrainedModel):
    """What all SpikeGPT models share."""

    config_class = SpikeGPTPreTrainedConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ("Block",)
    _is_stateful = True

    def _init_weights(self, module: nn.Module) -> None:
        """What a checkpoint lacks begins as torch has it; a new model's own start follows where it is built."""
        if isinstance(module, nn.Linear | nn.Embedding | nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, TimeMix | ChannelMix):
            for parameter in module.parameters(recurse=False):
                nn.init.zeros_(parameter)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """`generate` is to make no cache of keys and values: the state takes its place."""
        return False


class SpikeGPTModel(SpikeGPTPreTrainedModel):
    """The network without a head."""

    gradient_checkpointing = False

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.body = SpikeGPTBody(config.network_config())
        self.post_init()
        start(self.body)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.body.emb

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.body.emb = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        state: State = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **ignored: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """Tokens int64 [B, T], zeros in the mask [B, T] where they are padding, on either side, and the state after earlier tokens."""
        if input_ids is None or inputs_embeds is not None:
            raise InputError("input_ids: expected tokens, got embeddings or none. SpikeGPT's embedding is bits that only tokens have.")
        valid = None if attention_mask is None else attention_mask[:, -input_ids.shape[1] :].bool()
        self.body.checkpointing = self.gradient_checkpointing
        hidden, state = self.body(input_ids, state, None if valid is None or bool(valid.all()) else valid)
        output = SpikeGPTOutput(last_hidden_state=hidden, state=None if use_cache is False else state)
        return output.to_tuple() if return_dict is False else output


class SpikeGPTForCausalLM(SpikeGPTPreTrainedModel, GenerationMixin):
    """The language model. `generate` carries the state, so that a token costs the same at any length of context."""

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.model = SpikeGPTModel(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()
        start_head(self.head, config.start)

    @classmethod
    def of(cls, network: SpikeGPT) -> "SpikeGPTForCausalLM":
        """A network of our own with its weights, such as `load_released` gives."""
        model = cls(SpikeGPTPreTrainedConfig.of(network.config))
        weights = network.state_dict()
        model.head.load_state_dict({"weight": weights.pop("head.weight")})
        model.model.body.load_state_dict(weights)
        model.train(network.training)
        return model

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def set_output_embeddings(self, value: nn.Linear) -> None:
        self.head = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        state: State = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int = 0,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """As `SpikeGPTModel`; `labels` [B, T] are the tokens themselves, -100 where they do not count, and are shifted inside."""
        inner = self.model(input_ids, attention_mask, state, use_cache=use_cache, inputs_embeds=more.pop("inputs_embeds", None))
        hidden = inner.last_hidden_state[:, -logits_to_keep:] if logits_to_keep else inner.last_hidden_state
        logits, loss = self.head(hidden), None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **more)
            if self.training and self.config.l2_wrap:
                loss = l2_wrap(loss, logits)
        output = SpikeGPTOutput(loss=loss, logits=logits, state=inner.state)
        return output.to_tuple() if return_dict is False else output

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, state: State = None, attention_mask: Tensor | None = None, use_cache: bool | None = None, **ignored: Any
    ) -> dict[str, Any]:
        """After the prompt, the last token alone goes in, with the state."""
        tokens = input_ids if state is None else input_ids[:, -1:]
        return dict(input_ids=tokens, state=state, attention_mask=attention_mask, use_cache=use_cache, logits_to_keep=1)

    @staticmethod
    def _reorder_cache(state: State, beam_idx: Tensor) -> State:
        """For beam search: each beam goes on from the state of the one that it continues."""
        return None if state is None else rows(state, beam_idx)


class SpikeGPTForSequenceClassification(SpikeGPTPreTrainedModel):
    """A linear classifier of the last token or of the mean over all tokens, padding left out."""

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.model = SpikeGPTModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """As `SpikeGPTModel`; `labels` [B] are classes."""
        hidden = self.model(input_ids, attention_mask, use_cache=False).last_hidden_state
        counts = torch.ones_like(hidden[..., 0]) if attention_mask is None else attention_mask.to(hidden.dtype)
        if self.config.pooling == "mean":
            pooled = (hidden * counts.unsqueeze(2)).sum(1) / counts.sum(1, keepdim=True).clamp(min=1)
        else:
            steps = torch.arange(hidden.shape[1], device=hidden.device)
            last = torch.where(counts > 0, steps, 0).amax(1)
            pooled = hidden[torch.arange(len(hidden), device=hidden.device), last]
        logits, loss = self.classifier(pooled), None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config, **more)
        output = SpikeGPTOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


AutoConfig.register("spikegpt", SpikeGPTPreTrainedConfig, exist_ok=True)
AutoModel.register(SpikeGPTPreTrainedConfig, SpikeGPTModel, exist_ok=True)
AutoModelForCausalLM.register(SpikeGPTPreTrainedConfig, SpikeGPTForCausalLM, exist_ok=True)
AutoModelForSequenceClassification.register(SpikeGPTPreTrainedConfig, SpikeGPTForSequenceClassification, exist_ok=True)
