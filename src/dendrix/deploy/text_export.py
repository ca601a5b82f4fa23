"""Export of a language model in whole numbers: as C99, for WebAssembly, and as numpy arrays."""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..exits.rules.integer_probability import POWERS
from . import text_reference
from .c_source import array_of, fields
from .export_folder import File, shipped, shipped_bytes, write_export
from .image import Image
from .integer_layer import Ints
from .npz_export import npz
from .text_bounds import expect_proven
from .text_layout import FIELDS, named_constants, named_weights, neurons_of
from .text_network import IntegerSpikeGPT
from .text_notes import text_npz_readme, text_readme, text_web_readme
from .text_vectors import TEMPERATURE, TextVector, text_vectors, text_vectors_json

_LARGEST_VOCABULARY = 65_536
_HEADER = 32
_MODEL = struct.Struct("<7I5I2I3H2x")
_END = ("head", "scalars", "norm_weight", "norm_bias", "head_scale")
_NEURON_NAMES = ("DX_NEURONS_BEFORE_PRODUCTS", "DX_NEURONS_AFTER_HALVES", "DX_NO_NEURONS", "DX_SEPARATE_NEURONS")
"""Names of the numbers in `NEURONS`."""


TEXT_ENGINE_BYTES = 5_900
"""Code of the engine for a Cortex-M4 with clang -Os; measured, rounded up."""


@dataclass(frozen=True)
class DeployedText:
    """A language model that is complete, and proven not to overflow.

    Raises:
        InputError: a number could overflow, or the vocabulary is too large.
    """

    network: IntegerSpikeGPT
    is_bytes: bool = True
    """Whether a token is a byte of UTF-8; otherwise programs read and write the numbers of tokens."""

    def __post_init__(self) -> None:
        expect_proven(self.network)
        if self.network.config.vocab_size > _LARGEST_VOCABULARY:
            raise InputError(f"vocabulary: expected at most {_LARGEST_VOCABULARY:,} tokens, got {self.network.config.vocab_size:,}.")
        if self.is_bytes and self.network.config.vocab_size != 256:
            raise InputError(f"vocabulary: expected 256 tokens for bytes, got {self.network.config.vocab_size}. Set is_bytes=False.")

    @property
    def memory_bytes(self) -> int:
        """Memory of a text, in RAM, without the stack: the state, the logits and room for one token."""
        config, plan = self.network.config, self.network.plan
        words: int = plan.memory + config.vocab_size + 12 * config.width
        return _HEADER + (4 * words + 7) // 8 * 8

    @property
    def tables_bytes(self) -> int:
        """Constants, in flash."""
        network = self.network
        tables = network.weights.numel() + 2 * network.embedding.numel() + 4 * network.constants.numel() + 4 * network.plan.rows.size
        return tables + 4 * (len(text_reference.SIGMOID) + len(text_reference.SOFTPLUS) + len(POWERS))


def export_text_c(deployed: DeployedText, folder: str | Path, texts: Sequence[Ints]) -> None:
    """Write a language model as C99 without dependencies.

    The folder holds `dendrix_text.h` (the interface), `dendrix_text.c` (the engine), `model.h` and `model.c` (the tables), `main.c` (a
    program that continues a text on standard input), `Makefile`, `test/` (a self-test with vectors), `README.md` and `LICENSE`.

    Args:
        deployed: the language model.
        folder: a new folder.
        texts: tokens of the test vectors, int64 [T] each.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no texts, or one is empty or has tokens outside the vocabulary.
    """
    write_export(folder, _c_files(deployed, text_vectors(deployed.network, texts)))


def _c_files(deployed: DeployedText, found: Sequence[TextVector]) -> Iterator[File]:
    for name in ("dendrix_text.h", "dendrix_text.c", "LICENSE"):
        yield name, shipped(f"c/{name}")
    for name, source in (("main.c", "main.c"), ("Makefile", "Makefile"), ("test/selftest.c", "selftest.c")):
        yield name, shipped(f"c/text/{source}")
    yield "model.h", _model_h(deployed)
    yield "model.c", _model_c(deployed.network)
    yield "test/vectors.h", _vectors_h(found)
    yield "README.md", text_readme(deployed.network.config, deployed.is_bytes, deployed.tables_bytes, deployed.memory_bytes)


def export_text_wasm(deployed: DeployedText, folder: str | Path, texts: Sequence[Ints]) -> None:
    """Write a language model for browsers and node.

    The folder holds `text.wasm` and `text_simd.wasm` (the engine, plain and with SIMD, without imports), `network.bin` (the tables),
    `dendrix_text.mjs` with its types, `selftest.mjs` with `vectors.json`, `README.md` and `LICENSE`.

    Args:
        deployed, folder, texts: as in `export_text_c`.
    Raises:
        FileExistsError, InputError: as in `export_text_c`.
    """
    write_export(folder, _wasm_files(deployed, text_vectors(deployed.network, texts)))


def _wasm_files(deployed: DeployedText, found: Sequence[TextVector]) -> Iterator[File]:
    for name in ("text.wasm", "text_simd.wasm"):
        yield name, shipped_bytes(f"web/text/{name}")
    for name in ("dendrix_text.mjs", "dendrix_text.d.mts", "selftest.mjs"):
        yield name, shipped(f"web/text/{name}")
    yield "network.bin", text_image(deployed)
    yield "vectors.json", text_vectors_json(found)
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", text_web_readme(deployed.network.config, deployed.is_bytes)


def export_text_npz(deployed: DeployedText, folder: str | Path, texts: Sequence[Ints]) -> None:
    """Write a language model as `network.npz`, `network.json`, `vectors.json`, `README.md` with the equations, and `LICENSE`.

    Args:
        deployed, folder, texts: as in `export_text_c`.
    Raises:
        FileExistsError, InputError: as in `export_text_c`.
    """
    write_export(folder, _npz_files(deployed, text_vectors(deployed.network, texts)))


def _npz_files(deployed: DeployedText, found: Sequence[TextVector]) -> Iterator[File]:
    yield "network.npz", npz(text_arrays(deployed.network))
    described = {"config": asdict(deployed.network.config), "unit": deployed.network.unit, "is_bytes": deployed.is_bytes}
    yield "network.json", json.dumps(described, indent=2) + "\n"
    yield "vectors.json", text_vectors_json(found)
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", text_npz_readme(deployed.network.config, text_reference.__doc__ or "")


def text_arrays(network: IntegerSpikeGPT) -> dict[str, Any]:
    """All integers by name: those of the first half of the first block begin with `half0_`, those of the end with `end_`."""
    found: dict[str, Any] = {"embedding": network.embedding.numpy(), "sigmoid": text_reference.SIGMOID, "softplus": text_reference.SOFTPLUS}
    parts = zip(
        named_weights(network.config, network.weights.numpy()), named_constants(network.config, network.constants.numpy()), strict=True
    )
    for index, (matrices, vectors) in enumerate(parts):
        prefix = "end" if index == 2 * network.config.layers else f"half{index}"
        found |= {f"{prefix}_{name}": values for name, values in {**matrices, **vectors}.items()}
    return found


def text_image(deployed: DeployedText) -> bytes:
    """Tables as one file that the engine for WebAssembly loads: its structures as they lie in 32-bit memory, as in `image`."""
    network, found = deployed.network, Image()
    tables = [found.array(kind, values) for kind, _, values in _tables(network)]
    config = network.config
    counts = network.plan.memory, config.vocab_size, config.width, 2 * config.layers, neurons_of(config)
    model = found.add(_MODEL.pack(*tables, *network.plan.end.tolist(), *counts))
    text = json.dumps({"vocabulary": config.vocab_size, "is_bytes": deployed.is_bytes}).encode()
    struct.pack_into("<4s3I", found.content, 0, b"DXT1", model, found.add(text), len(text))
    return bytes(found.content)


def _tables(network: IntegerSpikeGPT) -> list[tuple[str, str, Ints]]:
    """Types, names and values of the tables, in the order of the structure of the engine."""
    return [
        ("int8_t", "weights", network.weights.numpy()),
        ("int16_t", "embedding", network.embedding.numpy().ravel()),
        ("int32_t", "constants", network.constants.numpy()),
        ("uint32_t", "halves", network.plan.rows.astype(np.uint32).ravel()),
        ("int32_t", "sigmoid", text_reference.SIGMOID),
        ("int32_t", "softplus", text_reference.SOFTPLUS),
        ("uint32_t", "powers", np.array(POWERS)),
    ]


def _model_h(deployed: DeployedText) -> str:
    return f"""/* Generated by dendrix. */
#ifndef DENDRIX_MODEL_H
#define DENDRIX_MODEL_H
#include "dendrix_text.h"

#define DX_TEXT_SIZE {deployed.memory_bytes}u
#define DX_TEXT_BYTES {int(deployed.is_bytes)} /* whether a token is a byte */

extern const dx_text_model dx_text_network;
#endif
"""


def _model_c(network: IntegerSpikeGPT) -> str:
    config = network.config
    lines = ["/* Generated by dendrix. */", '#include "model.h"', ""]
    values: dict[str, Any] = {}
    for kind, name, numbers in _tables(network):
        if name == "halves":
            lines.append(_halves(network))
        elif len(numbers):
            lines.append(array_of(kind, name, numbers.tolist(), "u" if kind == "uint32_t" else ""))
        values[name] = name if len(numbers) else None
    values |= dict(zip(_END, network.plan.end.tolist(), strict=True))
    values |= {"state_count": network.plan.memory, "vocabulary": config.vocab_size, "width": config.width}
    values |= {"half_count": 2 * config.layers, "neurons": _NEURON_NAMES[neurons_of(config)]}
    return "\n".join([*lines, f"const dx_text_model dx_text_network = {{{fields(values)}}};", ""])


def _halves(network: IntegerSpikeGPT) -> str:
    rows = [
        "  {"
        + ", ".join(f".{name} = {value}u" if value >= 0 else f".{name} = UINT32_MAX" for name, value in zip(FIELDS, row, strict=True))
        + "}"
        for row in network.plan.rows.tolist()
    ]
    return "static const dx_text_half halves[] = {\n" + ",\n".join(rows) + "};\n" if rows else ""


def _vectors_h(found: Sequence[TextVector]) -> str:
    return "\n".join(
        [
            "/* Generated by dendrix. */",
            f"#define TEST_TEXTS {len(found)}",
            f"#define TEST_TEMPERATURE {TEMPERATURE}u",
            f"#define TEST_CONTINUATION {len(found[0].greedy)}u",
            array_of("size_t", "test_lengths", [len(one.tokens) for one in found]),
            array_of("uint16_t", "test_tokens", np.concatenate([one.tokens for one in found]).tolist()),
            array_of("uint32_t", "test_checks", [check for one in found for check in one.checks], "u"),
            array_of("uint32_t", "test_states", [one.state for one in found], "u"),
            array_of("uint16_t", "test_greedy", [token for one in found for token in one.greedy]),
            array_of("uint16_t", "test_sampled", [token for one in found for token in one.sampled]),
        ]
    )
