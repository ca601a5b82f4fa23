"""Exports of an image network: the files for C99, WebAssembly and NumPy."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from . import image_reference
from .answering import rule_bounds
from .c_export import c_files
from .export_folder import File, shipped
from .image_binary import image_binary
from .image_c_source import image_model_c, image_model_h, image_vectors_h
from .image_deployed import DeployedImage
from .image_notes import image_npz_readme, image_readme, image_web_readme
from .npz_export import npz, npz_files, vector_arrays
from .vectors import Vector, vectors_json
from .wasm_export import engine, wasm_files

WEB_ENGINES = ("dendrix_image.wasm", "dendrix_image_simd.wasm")
ENGINE = ("dendrix_decision.h", "dendrix_image.h", "dendrix_image.c")


@c_files.register
def _c(deployed: DeployedImage, found: Sequence[Vector]) -> Iterator[File]:
    for name in (*ENGINE, "LICENSE"):
        yield name, shipped(f"c/{name}")
    for name in ("main.c", "Makefile"):
        yield name, shipped(f"c/image/{name}")
    yield "test/selftest.c", shipped("c/image/selftest.c")
    yield "model.h", image_model_h(deployed)
    yield "model.c", image_model_c(deployed)
    yield "test/vectors.h", image_vectors_h(found)
    yield "README.md", image_readme(deployed)


@wasm_files.register
def _web(deployed: DeployedImage, found: Sequence[Vector]) -> Iterator[File]:
    for name in WEB_ENGINES:
        yield name, engine(name)
    yield "network.bin", image_binary(deployed)
    yield "vectors.json", vectors_json(found)
    for name in ("dendrix.mjs", "dendrix.d.mts"):
        yield name, shipped(f"web/{name}")
    yield "selftest.mjs", shipped("web/selftest_image.mjs")
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", image_web_readme(deployed)


@npz_files.register
def _arrays(deployed: DeployedImage, found: Sequence[Vector]) -> Iterator[File]:
    yield "network.npz", npz(image_arrays(deployed))
    yield "network.json", json.dumps(_description(deployed), indent=2) + "\n"
    yield "vectors.npz", npz(vector_arrays(found))
    yield "README.md", image_npz_readme(deployed, image_reference.__doc__ or "")
    yield "LICENSE", shipped("c/LICENSE")


def image_arrays(deployed: DeployedImage) -> dict[str, Any]:
    """All integers of a network by name: those of stage 0 begin with `stage0_`."""
    found: dict[str, Any] = {"centre": np.array(deployed.network.centre)}
    for number, stage in enumerate(deployed.network.stages()):
        for edge, weight in enumerate(stage.weights):
            found[f"stage{number}_weight{edge}"] = weight
        found |= {f"stage{number}_{name}": getattr(stage, name) for name in ("bias", "threshold", "start")}
    return found


def _description(deployed: DeployedImage) -> dict[str, Any]:
    network, rule = deployed.network, deployed.rule
    return {
        "image": list(network.image),
        "stages": [asdict(form) for form in network.forms],
        "unit": network.unit,
        "steps": network.presented,
        "labels": list(deployed.labels),
        "accumulation": deployed.decision.accumulation,
        "rule": None if rule is None else {"name": type(rule).__name__, "bounds": rule_bounds(rule), "min_steps": rule.min_steps},
        "probability_constant": deployed.probability.constant,
        "abstain": deployed.abstained,
    }
