"""The page beside an ONNX file: how to run it without dendrix."""

import json
from collections.abc import Sequence
from typing import Any

from .onnx_models import OPSET

_STEP = """session = onnxruntime.InferenceSession("{file}")
x = np.zeros({shape}, np.{kind})  # [batch, time, ...]: your input
state, outputs = {{}}, []
for t in range(x.shape[1]):
    y, *after = session.run(None, {{"x": x[:, t], **state}})
    state = {{f"state_{{i}}": part for i, part in enumerate(after)}}
    outputs.append(y)
evidence = np.stack(outputs, 1)  # [batch, time, ...]"""
_SEQUENCE = """session = onnxruntime.InferenceSession("{file}")
x = np.zeros({shape}, np.{kind})  # [batch, time, ...]: your input
evidence, *state = session.run(None, {{"sequence": x}})"""
_INPUTS = {
    "step": "It takes one step at a time: `x`, and as `state_0`, `state_1`, ... what the last call returned as `next_0`, `next_1`, ....\n"
    "The first call leaves the states out; they start at rest, for a batch of one.",
    "sequence": "It takes whole sequences, `sequence`, [batch, time, ...], from rest, and returns `outputs` and the last state.",
}


def readme(file: str, form: str, shape: Sequence[int], classes: Sequence[str], encoder: dict[str, Any] | None) -> str:
    """The page, in Markdown.

    Args:
        file: name of the ONNX file.
        form: "step" or "sequence".
        shape: of one step of the input, without batch; () for tokens.
        classes: names of the outputs, if they are known.
        encoder: what turns sound into the input, as `encoder_to_dict` gives it.
    """
    size = str((1, 100, *shape))
    code = (_STEP if form == "step" else _SEQUENCE).format(file=file, shape=size, kind="float32" if shape else "int64")
    names = f"Outputs, in order: {', '.join(classes)}." if classes else "The outputs have no names."
    origin = "The input is that of the training." if shape else "The input consists of tokens of the training's tokenizer."
    source = f"The input is sound after this encoder: `{json.dumps(encoder)}`." if encoder else origin
    return (
        f"# {file}\n\nA spiking network as ONNX, opset {OPSET}. It runs with numpy and onnxruntime.\n\n{_INPUTS[form]}\n\n"
        f"```python\nimport numpy as np\nimport onnxruntime\n\n{code}\n```\n\n{names} {source}\n"
    )
