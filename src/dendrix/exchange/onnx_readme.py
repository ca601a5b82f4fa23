"""Page beside an ONNX file: how to run it without dendrix."""

import json
from collections.abc import Sequence
from typing import Any

from ..models import Decision
from .onnx_models import OPSET

_STEP = """onnxruntime.set_default_logger_severity(3)  # no warning that states may be left out
session = onnxruntime.InferenceSession("{file}")
state, steps = {{}}, []
for t in range(x.shape[1]):
    y, *after = session.run(None, {{"x": x[:, t], **state}})
    state = {{f"state_{{i}}": part for i, part in enumerate(after)}}
    steps.append(y)
outputs = np.stack(steps, 1)  # [batch, time, ...]"""
_SEQUENCE = """session = onnxruntime.InferenceSession("{file}")
outputs, *state = session.run(None, {{"sequence": x}})  # [batch, time, ...]"""
_SPIKES = "x = np.zeros({shape}, np.float32)  # [batch, time, ...]: your input"
_TOKENS = """tokenizer = tokenizers.Tokenizer.from_file("{tokenizer}")
x = np.array([tokenizer.encode("It was a").ids])  # [batch, time]"""
_GOES_ON = """
draw, ids = np.random.default_rng(), x[0].tolist()
for _ in range(100):
    odds = np.exp(y[0] - y[0].max())
    ids.append(int(draw.choice(len(odds), p=odds / odds.sum())))
    y, *after = session.run(None, {"x": np.array(ids[-1:]), **state})
    state = {f"state_{i}": part for i, part in enumerate(after)}
print(tokenizer.decode(ids))"""
_ACCUMULATED = {
    "sum": "outputs.sum(1)",
    "mean": "outputs.mean(1)",
    "last": "outputs[:, -1]",
    "max": "outputs.max(1)",
    "softmax-sum": "(np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)).sum(1)",
}
_INPUTS = {
    "step": "It takes one step at a time: `x`, and as `state_0`, `state_1`, ... what the last call returned as `next_0`, `next_1`, ....\n"
    "The first call leaves the states out; they start at rest, for a batch of one.",
    "sequence": "It takes whole sequences, `sequence`, [batch, time, ...], from rest, and returns `outputs` and the last state.",
}


def readme(
    file: str,
    form: str,
    shape: Sequence[int],
    classes: Sequence[str] = (),
    encoder: dict[str, Any] | None = None,
    decision: Decision | None = None,
    tokenizer: str | None = None,
    presented: int | None = None,
) -> str:
    """The page, in Markdown.

    Args:
        file: name of the ONNX file.
        form: "step" or "sequence".
        shape: of one step of the input, without batch; () for tokens.
        classes: names of the outputs, if they are known.
        encoder: what turns sound into the input, as `encoder_to_dict` gives it.
        decision: how outputs become a class.
        tokenizer: name of the file of the tokenizer of a network for text, which generates text if it has no classes.
        presented: number of steps for which a still image is presented.
    """
    parts = [_SPIKES if tokenizer is None else _TOKENS, _STEP if form == "step" else _SEQUENCE]
    code = "\n".join(parts).format(file=file, shape=(1, presented or 100, *shape), tokenizer=tokenizer)
    if classes and decision is not None:
        code += f"\nnumber = {_ACCUMULATED[decision.accumulation]}.argmax(-1)  # of the class"
    elif tokenizer is not None and form == "step":
        code += _GOES_ON
    packages = ("onnxruntime",) if tokenizer is None else ("onnxruntime", "tokenizers")
    imports = "\n".join(f"import {name}" for name in ("numpy as np", *packages))
    return (
        f"# {file}\n\nA spiking network as ONNX, opset {OPSET}. It runs with {', '.join(('numpy', *packages))}.\n\n{_INPUTS[form]}\n\n"
        f"```python\n{imports}\n\n{code}\n```\n\n{_outputs(classes, tokenizer)} {_source(encoder, tokenizer, presented)}{_tail(decision)}\n"
    )


def _outputs(classes: Sequence[str], tokenizer: str | None) -> str:
    if classes:
        return f"Outputs, in order: {', '.join(classes)}."
    return "The outputs have no names." if tokenizer is None else "The outputs are logits of the next token."


def _source(encoder: dict[str, Any] | None, tokenizer: str | None, presented: int | None) -> str:
    if tokenizer is not None:
        return f"The input consists of tokens of `{tokenizer}`."
    if presented is not None:
        return f"The input is an image, values 0 to 1, the same at each of {presented} steps."
    return f"The input is sound after this encoder: `{json.dumps(encoder)}`." if encoder else "The input is that of the training."


def _tail(decision: Decision | None) -> str:
    """The silence that a decision waits for."""
    return f" Append {decision.tail_ms:g} ms of zeros: delayed spikes count." if decision is not None and decision.tail_ms else ""
