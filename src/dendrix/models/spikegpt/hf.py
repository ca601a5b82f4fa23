"""SpikeGPT models for Hugging Face transformers; importing this module registers the Auto classes. `hf_files` reads and writes folders."""

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import ModelOutput

from ...core import State, map_state, rows
from ...errors import InputError
from .blocks import Block
from .hf_config import SpikeGPTPreTrainedConfig, expect_known, passed
from .hf_read_state import ReadState, split, state_of, with_read_state
from .initialisation import start_head
from .l2_wrap import l2_wrap
from .network import SpikeGPT, SpikeGPTBody

__all__ = [
    "ReadState",
    "SpikeGPTForCausalLM",
    "SpikeGPTForSequenceClassification",
    "SpikeGPTForTokenClassification",
    "SpikeGPTModel",
    "SpikeGPTOutput",
    "SpikeGPTPreTrainedConfig",
]


@dataclass
class SpikeGPTOutput(ModelOutput):
    """Output of the models. Pass `state` to the next call with the following tokens."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    state: Any = None
    hidden_states: tuple[Tensor, ...] | None = None
    """The embedding, the stream after each block but the last, and the last hidden state, [B, T, d] each; None unless requested."""


class SpikeGPTBlock(GradientCheckpointingLayer, Block):
    """A block whose activations are recomputed in the backward pass if gradient checkpointing is enabled."""


class _Body(SpikeGPTBody):
    block = SpikeGPTBlock


class SpikeGPTPreTrainedModel(PreTrainedModel):
    """Base class of the SpikeGPT models."""

    config_class = SpikeGPTPreTrainedConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ("SpikeGPTBlock",)
    _is_stateful = True

    def init_weights(self) -> None:
        """Leave a new model as its constructor has initialised it."""

    @torch.no_grad()
    def initialize_weights(self) -> None:
        """Initialise the parameters that a checkpoint lacks, which transformers has not marked, as in a new model."""
        missing = {name: one for name, one in self.named_parameters() if not getattr(one, "_is_hf_initialized", False)}
        initial = type(self)(self.config).state_dict() if missing else {}
        for name, parameter in missing.items():
            parameter.copy_(initial[name])

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise a layer that transformers has added, such as a larger embedding."""
        if isinstance(module, nn.Linear | nn.Embedding):
            module.reset_parameters()

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        """Return False: `generate` passes the state instead of a key-value cache."""
        return False


class SpikeGPTModel(SpikeGPTPreTrainedModel):
    """The network without a head.

    Args:
        config: configuration of the model.
    """

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.body = _Body(config.network_config())
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.body.emb

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.body.emb = value
        self.body.config = replace(self.body.config, vocab_size=value.num_embeddings)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        state: State = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        output_hidden_states: bool | None = None,
        past_key_values: ReadState | None = None,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """Compute the hidden states.

        Args:
            input_ids: token ids, int64 [B, T].
            attention_mask: [B, T], zero in the padding, on either side.
            state: state after the previous tokens; None starts new texts.
            inputs_embeds: instead of `input_ids`, embeddings [B, T, d] as `get_input_embeddings()` gives them, before they are made binary.
            use_cache: False omits the state from the output.
            return_dict: False returns a tuple.
            output_hidden_states: True also returns the streams between the blocks; None takes the setting of the configuration.
            past_key_values: instead of `state`, what `generate` returned. Pass only the tokens that it has not read.
            more: arguments of transformers that change nothing here, such as `position_ids`.
        Raises:
            InputError: neither or both of `input_ids` and `inputs_embeds`, or a token that is not in the vocabulary.
            InputTypeError: an argument that no model of transformers has.
        """
        expect_known(more)
        if (input_ids is None) == (inputs_embeds is None):
            both = "neither" if input_ids is None else "both"
            raise InputError(f"input_ids: expected either tokens or inputs_embeds, got {both}. Pass one of them.")
        if past_key_values is not None:
            state = state_of(past_key_values, state)
        steps = input_ids.shape[1] if input_ids is not None else cast(Tensor, inputs_embeds).shape[1]
        valid = None if attention_mask is None else attention_mask[:, -steps:].bool()
        valid = None if valid is None or bool(valid.all()) else valid
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        streams: list[Tensor] | None = [] if wanted else None
        if input_ids is not None:
            read = input_ids if valid is None else input_ids.masked_fill(~valid, 0)  # tokenizers may pad beyond the vocabulary
            hidden, state = self.body(read, state, valid, streams)
        else:
            hidden, state = self.body.read(cast(Tensor, inputs_embeds), state, valid, streams)
        between = None if streams is None else (*streams[:-1], hidden)
        output = SpikeGPTOutput(last_hidden_state=hidden, state=None if use_cache is False else state, hidden_states=between)
        return output.to_tuple() if return_dict is False else output


class SpikeGPTForCausalLM(SpikeGPTPreTrainedModel, GenerationMixin):
    """Language model. `generate` passes the state, so the cost of a token is independent of the length of the text.

    Args:
        config: configuration of the model.
    """

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.model = SpikeGPTModel(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        start_head(self.head, config.start)
        self.post_init()

    @classmethod
    def of(cls, network: SpikeGPT) -> "SpikeGPTForCausalLM":
        """Convert a network, such as that of `load_released`.

        Args:
            network: network whose weights and training mode are copied.
        """
        model, weights = cls(SpikeGPTPreTrainedConfig.of(network.config)), network.state_dict()
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
        logits_to_keep: int | Tensor = 0,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """Compute the logits, and the loss if labels are given.

        Args:
            input_ids, attention_mask, state, use_cache, return_dict: as in `SpikeGPTModel`.
            labels: the tokens themselves, int64 [B, T], -100 where they are ignored; shifted by one internally.
            logits_to_keep: number of last tokens for which logits are computed, 0 for all; or their places, int64 [N].
            more: further arguments of `SpikeGPTModel` and of the loss function.
        """
        inner = self.model(input_ids, attention_mask, state, use_cache=use_cache, **passed(more))
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        hidden = inner.last_hidden_state[:, kept]
        logits, loss = self.head(hidden), None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **more)
            if self.training and self.config.l2_wrap:
                loss = l2_wrap(loss, logits)
        output = SpikeGPTOutput(loss=loss, logits=logits, state=inner.state, hidden_states=inner.hidden_states)
        return output.to_tuple() if return_dict is False else output

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        state: State = None,
        attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        is_first_iteration: bool = False,
        output_hidden_states: bool | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: ReadState | None = None,
        **ignored: Any,
    ) -> dict[str, Any]:
        """Return the arguments of the next call: all tokens that the state has not read.

        A state that is passed to `generate` has read the tokens before it; later states have read all but the last token.
        """
        has_read = not (is_first_iteration or state is None or use_cache is False)
        given: dict[str, Any] = dict(input_ids=input_ids[:, -1:] if has_read else input_ids, state=state, attention_mask=attention_mask)
        if inputs_embeds is not None and not has_read:
            given |= dict(input_ids=None, inputs_embeds=inputs_embeds)
        return given | dict(use_cache=use_cache, logits_to_keep=1, output_hidden_states=output_hidden_states)

    def generate(self, inputs: Tensor | None = None, *more: Any, **options: Any) -> Any:
        """As `generate` of transformers, and from a state.

        Args:
            inputs: tokens, int64 [B, T].
            more: as in transformers.
            options: as in transformers. `state` has read the tokens before `inputs`. `past_key_values` is that of an earlier result;
                `inputs` is then the whole text so far, and only its new tokens are read.
        Raises:
            InputError: the state of `past_key_values` has read more than `inputs`.
        """
        past = options.pop("past_key_values", None)
        inputs = inputs if inputs is not None else options.pop("input_ids", None)
        if past is None:
            return with_read_state(super().generate(inputs, *more, **options))
        state = state_of(past, options.pop("state", None))
        read, new = split(inputs, past)
        result = super().generate(new, *more, state=state, **options)
        if isinstance(result, Tensor):
            return torch.cat([read.repeat_interleave(len(result) // len(read), 0), result], 1)
        result.sequences = torch.cat([read.repeat_interleave(len(result.sequences) // len(read), 0), result.sequences], 1)
        return with_read_state(result)

    def _expand_inputs_for_generation(self, expand_size: int = 1, **inputs: Any) -> tuple[Any, dict[str, Any]]:
        """Repeat the rows for beams or several answers, those of the state too."""
        input_ids, inputs = super()._expand_inputs_for_generation(expand_size=expand_size, **inputs)
        if expand_size > 1 and inputs.get("state") is not None:
            inputs["state"] = map_state(lambda part: part.repeat_interleave(expand_size, 0), inputs["state"])
        return input_ids, inputs

    def _get_logits_processor(self, generation_config: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse guidance: transformers runs the model a second time with a cache of its own, which a state is not."""
        if generation_config.guidance_scale not in (None, 1):
            raise InputError(
                f"guidance_scale: expected none, got {generation_config.guidance_scale}. SpikeGPT has no guidance; leave it out."
            )
        return super()._get_logits_processor(generation_config, *args, **kwargs)

    @staticmethod
    def _reorder_cache(state: State, beam_idx: Tensor) -> State:
        """Select the states of the beams that are continued in beam search."""
        return None if state is None else rows(state, beam_idx)


class _Classifier(SpikeGPTPreTrainedModel):
    """Base class of both classifiers: the network and a linear head."""

    def __init__(self, config: SpikeGPTPreTrainedConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.model = SpikeGPTModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()


class SpikeGPTForSequenceClassification(_Classifier):
    """Classifier with a linear head on the last or the mean hidden state, without padding."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """Compute the logits [B, K], and the loss if labels are given.

        Args:
            input_ids, attention_mask, return_dict: as in `SpikeGPTModel`.
            labels: classes, int64 [B].
            more: further arguments of `SpikeGPTModel` and of the loss function.
        """
        inner = self.model(input_ids, attention_mask, use_cache=False, **passed(more))
        hidden = inner.last_hidden_state
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
        output = SpikeGPTOutput(loss=loss, logits=logits, hidden_states=inner.hidden_states)
        return output.to_tuple() if return_dict is False else output


class SpikeGPTForTokenClassification(_Classifier):
    """Classifier of every token, with a linear head on its hidden state after the tokens so far."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **more: Any,
    ) -> SpikeGPTOutput | tuple[Any, ...]:
        """Compute the logits [B, T, K], and the loss if labels are given.

        Args:
            input_ids, attention_mask, return_dict: as in `SpikeGPTModel`.
            labels: classes, int64 [B, T], -100 where they are ignored.
            more: further arguments of `SpikeGPTModel` and of the loss function.
        """
        inner = self.model(input_ids, attention_mask, use_cache=False, **passed(more))
        logits = self.classifier(inner.last_hidden_state)
        loss = None if labels is None else self.loss_function(logits, labels, self.config, **more)
        output = SpikeGPTOutput(loss=loss, logits=logits, hidden_states=inner.hidden_states)
        return output.to_tuple() if return_dict is False else output


AutoConfig.register("spikegpt", SpikeGPTPreTrainedConfig, exist_ok=True)
AutoModel.register(SpikeGPTPreTrainedConfig, SpikeGPTModel, exist_ok=True)
AutoModelForCausalLM.register(SpikeGPTPreTrainedConfig, SpikeGPTForCausalLM, exist_ok=True)
AutoModelForSequenceClassification.register(SpikeGPTPreTrainedConfig, SpikeGPTForSequenceClassification, exist_ok=True)
AutoModelForTokenClassification.register(SpikeGPTPreTrainedConfig, SpikeGPTForTokenClassification, exist_ok=True)
