"""SpikeGPT in torch and transformers alone, for folders that are opened where dendrix is not installed.

    AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)

The equations are those of dendrix.models.spikegpt, a loop over tokens without kernels; with dendrix installed and imported, that is used.
Source: released training code of Zhu et al., SpikeGPT (arXiv 2302.13939).
"""

import difflib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

State = list[dict[str, Tensor]]
"""The tensors [B, C] of each half of a block, in order."""


_WITHOUT_EFFECT = {"position_ids", "cache_position", "output_attentions", "head_mask", "token_type_ids"}
_NEURONS = ("levels", "norm", "separate")
"""Fields of the neurons that may differ from the published ones."""
_LOSS = {"num_items_in_batch", "ignore_index", "shift_labels"}


def expect_known(more: dict[str, Any], *known: str) -> None:
    """Refuse arguments that the model does not have, which would otherwise be misspelt in silence."""
    for name, value in more.items():
        if name in ("output_hidden_states", "past_key_values"):
            if value:
                raise TypeError(f"{name}: expected none, because the code of this folder has none. Install and import dendrix.")
        elif name not in _WITHOUT_EFFECT and name not in known:
            names = [
                "input_ids",
                "attention_mask",
                "state",
                "inputs_embeds",
                "labels",
                "return_dict",
                "use_cache",
                "logits_to_keep",
                *known,
            ]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"{name}: expected an argument of the model, got an unknown one.{hint}")


def of_loss(more: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the loss."""
    expect_known(more, *_LOSS)
    return {name: value for name, value in more.items() if name in _LOSS}


class SpikeGPTConfig(PreTrainedConfig):
    """Configuration, as dendrix writes it."""

    model_type = "spikegpt"
    keys_to_ignore_at_inference = ["state"]

    def __init__(
        self, vocab_size: int = 256, hidden_size: int = 512, num_hidden_layers: int = 12, spikes: str = "output",
        channel_first: bool = False, dropout: float = 0.03, v_threshold: float = 1.0, binary_embedding: bool = True,
        halve_stream: bool = False, neurons: dict[str, Any] | None = None, pooling: str = "last", **more: Any,
    ):  # fmt: skip
        other = {name: value for name, value in (neurons or {}).items() if name not in _NEURONS}  # new fields are refused too
        if own := [f"{name}={value}" for name, value in other.items() if value != (2.0 if name == "alpha" else False)]:
            raise ValueError(f"neurons: expected no more than {', '.join(_NEURONS)}, got {', '.join(own)}. Install and import dendrix.")
        if own := [f"{name}={more[name]}" for name in ("decay_rank", "window") if more.get(name)]:
            raise ValueError(f"time mix: expected the published one, got {', '.join(own)}. Install and import dendrix.")
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.spikes, self.channel_first, self.dropout, self.v_threshold = spikes, channel_first, dropout, v_threshold
        self.binary_embedding, self.halve_stream, self.pooling, self.neurons = binary_embedding, halve_stream, pooling, neurons
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(self, name, more.pop(name, None))
        super().__init__(**{"tie_word_embeddings": False, **more})


class Heaviside(torch.autograd.Function):
    """A step at zero; its gradient is that of an arc tangent of slope 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        result: Tensor = gradient / (1 + (math.pi * x) ** 2)
        return result


def spike(x: Tensor) -> Tensor:
    """1 where x is not negative, otherwise 0."""
    found: Tensor = Heaviside.apply(x)  # type: ignore[no-untyped-call]
    return found


class Mix(nn.Module):
    """One half of a block, a token at a time."""

    readers: int
    """Number of products that read the stream."""

    def __init__(self, config: SpikeGPTConfig, hidden: int, scale: float):
        super().__init__()
        self.spikes, self.v_threshold, self.scale, self.hidden = config.spikes, config.v_threshold, scale, hidden
        self.width, neurons = config.hidden_size, config.neurons or {}
        self.levels, self.separate = neurons.get("levels", 1), bool(neurons.get("separate"))
        self.neurons = nn.ModuleList([nn.ModuleDict({"norm": nn.LayerNorm(self.width)})] if neurons.get("norm") else [])
        if self.spikes == "input":
            self.norm = nn.LayerNorm(hidden)

    def init_state(self, like: Tensor) -> dict[str, Tensor]:
        """The state before the first token."""
        sizes = {"shift": self.width}
        if self.spikes == "input":
            sizes |= {f"before {i}": self.width for i in range(self.readers if self.separate else 1)} | {"middle": self.hidden}
        elif self.spikes == "output":
            sizes["after"] = self.width
        return {name: like.new_zeros(len(like), size) for name, size in sizes.items()}

    def lif(self, x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
        """Neurons with a time constant of two tokens, scaled input and hard reset; they change `state`.

        A neuron fires once for every multiple of the threshold that its membrane reaches, up to `levels`.
        """
        for part in self.neurons:
            x = part.get_submodule("norm")(x)
        h = state[name] + 0.5 * (x - state[name])
        fired = [spike(h - level * self.v_threshold) for level in range(1, self.levels + 1)]
        state[name] = (1 - fired[0]) * h
        return torch.stack(fired).sum(0)

    def mixed(self, x: Tensor, state: dict[str, Tensor], *shares: Tensor) -> list[Tensor]:
        """This token mixed with the one before; for spikes, each channel takes one of the two. Separate neurons read the mixtures."""
        if self.spikes == "input" and not self.separate:
            x = self.lif(x, state, "before 0")
            shares = tuple((share >= 0.5).to(x.dtype) + (share - share.detach()) for share in shares)
        earlier, state["shift"] = state["shift"], x
        mixtures = [x * share.flatten() + earlier * (1 - share.flatten()) for share in shares]
        return [self.lif(mixture, state, f"before {i}") for i, mixture in enumerate(mixtures)] if self.separate else mixtures


class TimeMix(Mix):
    """A gated running average of values with weights exp(key)."""

    readers = 3

    def __init__(self, config: SpikeGPTConfig, scale: float):
        width = config.hidden_size
        super().__init__(config, width, scale)
        self.time_decay, self.time_first = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.time_mix_k, self.time_mix_v, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(3))
        self.key, self.value, self.receptance, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))

    def init_state(self, like: Tensor) -> dict[str, Tensor]:
        sums = like.new_zeros(len(like), self.width)
        return super().init_state(like) | {"aa": sums, "bb": sums, "pp": torch.full_like(sums, -1e38)}

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> Tensor:
        to_key, to_value, to_gate = self.mixed(x, state, self.time_mix_k, self.time_mix_v, self.time_mix_r)
        k, v, gate = self.key(to_key), self.value(to_value), torch.sigmoid(self.receptance(to_gate))
        aa, bb, pp, rate = state["aa"], state["bb"], state["pp"], self.time_decay.exp()
        top = torch.maximum(pp, self.time_first + k).detach()
        past, now = torch.exp(pp - top), torch.exp(self.time_first + k - top)
        y = gate * (past * aa + now * v) / (past * bb + now)
        top = torch.maximum(pp - rate, k).detach()
        past, now = torch.exp(pp - rate - top), torch.exp(k - top)
        state |= {"aa": past * aa + now * v, "bb": past * bb + now, "pp": top}
        y = self.output(self.lif(self.norm(y), state, "middle") if self.spikes == "input" else y) * self.scale
        return self.lif(y, state, "after") if self.spikes == "output" else y


class ChannelMix(Mix):
    """A gated layer of 4 d channels, with squared ReLU or spikes."""

    readers = 2

    def __init__(self, config: SpikeGPTConfig, scale: float):
        width = config.hidden_size
        super().__init__(config, 4 * width, scale)
        self.time_mix_k, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(2))
        self.key, self.value = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.receptance = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> Tensor:
        to_key, to_gate = self.mixed(x, state, self.time_mix_k, self.time_mix_r)
        hidden, gate = self.key(to_key), torch.sigmoid(self.receptance(to_gate))
        hidden = self.lif(self.norm(hidden), state, "middle") if self.spikes == "input" else hidden.relu() ** 2
        y = gate * self.value(hidden) * self.scale
        return self.lif(y, state, "after") if self.spikes == "output" else y


class Block(nn.Module):
    """A residual block."""

    def __init__(self, config: SpikeGPTConfig, number: int):
        super().__init__()
        width, scale = config.hidden_size, 0.5 ** (number // 6) if config.halve_stream else 1.0
        self.first = number == 0
        if self.first:
            self.ln0 = nn.LayerNorm(width)
        self.ln1, self.ln2, self.drop = nn.LayerNorm(width), nn.LayerNorm(width), nn.Dropout(config.dropout)
        self.before = "ffnPre" if self.first and config.channel_first else "att"
        self.add_module(self.before, ChannelMix(config, scale) if self.before == "ffnPre" else TimeMix(config, scale))
        self.ffn = ChannelMix(config, scale)

    def halves(self) -> list[Any]:
        return [self.get_submodule(self.before), self.ffn]

    def forward(self, x: Tensor, states: State) -> Tensor:
        x = self.ln0(x) if self.first else x
        for norm, half, state in zip((self.ln1, self.ln2), self.halves(), states, strict=True):
            x = x + half(norm(x), state)
        dropped: Tensor = self.drop(x)
        return dropped


class Body(nn.Module):
    """Embedding, blocks and the last norm."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__()
        self.config = config
        self.emb = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.ln_out = nn.LayerNorm(config.hidden_size)

    def forward(self, stream: Tensor, valid: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Hidden states [B, T, d] of embeddings [B, T, d], and the next state; invalid steps change nothing."""
        blocks: list[Any] = list(self.blocks)
        state = (
            [half.init_state(stream[:, 0]) for block in blocks for half in block.halves()] if state is None else [dict(s) for s in state]
        )
        outputs = []
        for t in range(stream.shape[1]):
            x, before = stream[:, t], [dict(part) for part in state]
            x = spike(x) if self.config.binary_embedding else x
            for i, block in enumerate(blocks):
                x = block(x, state[2 * i : 2 * i + 2])
                if self.config.halve_stream and (i + 1) % 6 == 0:
                    x = x / 2
            if valid is not None:
                now = valid[:, t, None]
                for part, old in zip(state, before, strict=True):
                    part |= {name: torch.where(now, part[name], old[name]) for name in part}
            outputs.append(self.ln_out(x) if valid is None else self.ln_out(x) * now)
        return torch.stack(outputs, 1), state


@dataclass
class SpikeGPTOutput(ModelOutput):
    """Output of the models; pass `state` to the next call with the following tokens."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    state: Any = None


class SpikeGPTPreTrainedModel(PreTrainedModel):
    """Base class of the models."""

    config_class = SpikeGPTConfig
    base_model_prefix = "model"
    _no_split_modules = ("Block",)
    _is_stateful = True

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False


class SpikeGPTModel(SpikeGPTPreTrainedModel):
    """The network without a head."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__(config)
        self.body = Body(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.body.emb

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, state: State | None = None,
        inputs_embeds: Tensor | None = None, return_dict: bool | None = None, use_cache: bool | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        expect_known(more)
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError(f"input_ids: expected either tokens or inputs_embeds, got {'neither' if input_ids is None else 'both'}.")
        given: Any = input_ids if inputs_embeds is None else inputs_embeds
        valid = None if attention_mask is None else attention_mask[:, -given.shape[1] :].bool()
        if inputs_embeds is None:  # tokenizers may pad beyond the vocabulary
            given = self.body.emb(given if valid is None else given.masked_fill(~valid, 0))
        hidden, state = self.body(given, None if valid is None or bool(valid.all()) else valid, state)
        output = SpikeGPTOutput(last_hidden_state=hidden, state=None if use_cache is False else state)
        return output.to_tuple() if return_dict is False else output


class SpikeGPTForCausalLM(SpikeGPTPreTrainedModel, GenerationMixin):
    """Language model. `generate` carries the state; `state=` is one that has read the tokens before."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__(config)
        self.model = SpikeGPTModel(config)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.head

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, state: State | None = None,
        labels: Tensor | None = None, logits_to_keep: int = 0, return_dict: bool | None = None, use_cache: bool | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        embedded, loss_options = more.pop("inputs_embeds", None), of_loss(more)
        inner = self.model(input_ids, attention_mask, state, inputs_embeds=embedded)
        logits = self.head(inner.last_hidden_state[:, -logits_to_keep:])
        loss = (
            None if labels is None else self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **loss_options)
        )
        output = SpikeGPTOutput(loss=loss, logits=logits, state=None if use_cache is False else inner.state)
        return output.to_tuple() if return_dict is False else output

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, state: State | None = None, attention_mask: Tensor | None = None, use_cache: bool | None = None,
        is_first_iteration: bool = False, inputs_embeds: Tensor | None = None, **ignored: Any,
    ) -> dict[str, Any]:  # fmt: skip
        has_read = not (is_first_iteration or state is None or use_cache is False)
        given: dict[str, Any] = dict(input_ids=input_ids[:, -1:] if has_read else input_ids, state=state, attention_mask=attention_mask)
        if inputs_embeds is not None and not has_read:
            given |= dict(input_ids=None, inputs_embeds=inputs_embeds)
        return given | dict(use_cache=use_cache, logits_to_keep=1)

    def _get_logits_processor(self, generation_config: Any, *args: Any, **kwargs: Any) -> Any:
        if generation_config.guidance_scale not in (None, 1):
            raise ValueError(f"guidance_scale: expected none, got {generation_config.guidance_scale}. SpikeGPT has no guidance.")
        return super()._get_logits_processor(generation_config, *args, **kwargs)

    @staticmethod
    def _reorder_cache(state: State, beam_idx: Tensor) -> State:
        return [{name: part[beam_idx] for name, part in one.items()} for one in state]


class SpikeGPTForSequenceClassification(SpikeGPTPreTrainedModel):
    """Classifier on the last or the mean hidden state, without padding."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.model = SpikeGPTModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, labels: Tensor | None = None,
        return_dict: bool | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        embedded, loss_options = more.pop("inputs_embeds", None), of_loss(more)
        hidden = self.model(input_ids, attention_mask, inputs_embeds=embedded).last_hidden_state
        counts = torch.ones_like(hidden[..., 0]) if attention_mask is None else attention_mask.to(hidden.dtype)
        if self.config.pooling == "mean":
            pooled = (hidden * counts.unsqueeze(2)).sum(1) / counts.sum(1, keepdim=True).clamp(min=1)
        else:
            last = torch.where(counts > 0, torch.arange(hidden.shape[1], device=hidden.device), 0).amax(1)
            pooled = hidden[torch.arange(len(hidden), device=hidden.device), last]
        logits = self.classifier(pooled)
        loss = None if labels is None else self.loss_function(labels=labels, pooled_logits=logits, config=self.config, **loss_options)
        output = SpikeGPTOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output
