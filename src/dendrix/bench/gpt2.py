"""GPT-2 of transformers with its cache, the baseline of decoding."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from .harness import UnavailableError

_LONGEST = 8200
_NUMBERS = {"float32": 4, "bfloat16": 2, "int8": 4}
"""Bytes of a number in the cache, by kind of weights; int8 concerns only the weights."""


class CachedGPT2:
    """A GPT-2 that decodes one token of each text after a context that is in its cache.

    Args:
        vocab_size: V.
        layers: blocks.
        parameters: target; the width, a multiple of 16, is chosen to be nearest to it. The embedding of positions, which SpikeGPT does not
            have, is not counted.
        weights: "float32", "bfloat16", or "int8": dynamic quantisation of torch.
        batch: texts.
    """

    def __init__(self, vocab_size: int, layers: int, parameters: int, weights: str, batch: int):
        width = min(range(32, 4096, 16), key=lambda d: abs(_parameters(vocab_size, layers, d) - parameters))
        self._library = _transformers()
        heads = next(heads for heads in range(max(width // 64, 1), 0, -1) if width % heads == 0)
        sizes = dict(vocab_size=vocab_size, n_embd=width, n_layer=layers, n_head=heads, n_positions=_LONGEST)
        config = self._library.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
        model = self._library.GPT2LMHeadModel(config).eval()
        self.parameters = sum(parameter.numel() for parameter in model.parameters()) - _LONGEST * width
        self._model = _rounded(model, weights)
        self._dtype = torch.bfloat16 if weights == "bfloat16" else torch.float32
        self._shape, self._batch, self._number = (batch, heads, width // heads), batch, _NUMBERS[weights]

    def cache_bytes(self, context: int) -> int:
        """Bytes of the cache of one text after `context` tokens."""
        _, heads, size = self._shape
        return 2 * len(self._model.transformer.h) * heads * size * context * self._number

    def step(self, context: int) -> Callable[[], Any]:
        """A function that decodes one token of each text after `context` tokens; the cache is restored after each call."""
        batch, heads, size = self._shape
        cache = self._library.DynamicCache()
        for layer in range(len(self._model.transformer.h)):
            keys, values = (torch.randn(batch, heads, context, size, dtype=self._dtype) for _ in range(2))
            cache.update(keys, values, layer)
        token, position = torch.zeros(batch, 1, dtype=torch.int64), torch.tensor([[context]])

        @torch.inference_mode()
        def run() -> Tensor:
            logits: Tensor = self._model(token, past_key_values=cache, position_ids=position, use_cache=True).logits
            cache.crop(-1)
            return logits

        return run


def _parameters(vocab_size: int, layers: int, width: int) -> int:
    return layers * (12 * width * width + 13 * width) + vocab_size * width + 2 * width


def _transformers() -> Any:
    try:
        return import_module("transformers")
    except ImportError as error:
        raise UnavailableError("transformers is not installed. pip install dendrix[lm].") from error


def _rounded(model: Any, weights: str) -> Any:
    if weights == "bfloat16":
        return model.bfloat16()
    if weights == "int8":
        for block in model.transformer.h:
            for owner, name in ((block.attn, "c_attn"), (block.attn, "c_proj"), (block.mlp, "c_fc"), (block.mlp, "c_proj")):
                setattr(owner, name, _linear(getattr(owner, name)))
        quantised: Any = torch.ao.quantization.quantize_dynamic
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao announces its move to another package
            return quantised(model, {nn.Linear}, torch.qint8)
    return model


def _linear(layer: Any) -> nn.Linear:
    """GPT-2's `Conv1D` as an equal `nn.Linear`."""
    inputs, outputs = layer.weight.shape
    linear = nn.Linear(inputs, outputs)
    with torch.no_grad():
        linear.weight.copy_(layer.weight.T)
        linear.bias.copy_(layer.bias)
    return linear
