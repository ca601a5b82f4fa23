"""`python -m dendrix.bench.text_deployment`: every engine writes the same text."""

import json
import re
import shutil

import numpy as np
import pytest

from dendrix.bench import text_deployment
from dendrix.deploy import DeployedText
from dendrix.models import SpikeGPTConfig
from support.integer_texts import random_network
from support.paths import DOCS, ROOT


def small(seed: int = 0) -> DeployedText:
    return DeployedText(random_network(np.random.default_rng(seed), config=SpikeGPTConfig(256, 8, 1)))


def test_engines_are_compared() -> None:
    found = text_deployment.measured(small(), tokens=5, rounds=2)
    assert set(found["refused"].values()) <= {"there is no gcc", "there is no node"}
    assert len(found["rows"]) + len(found["refused"]) == 5
    assert all(0 < row["least"] <= row["median"] <= row["greatest"] for row in found["rows"].values())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_engines_that_are_not_here_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "node" else which(name))
    found = text_deployment.measured(small(), tokens=2, rounds=1)
    assert found["refused"] == dict.fromkeys(("WebAssembly", "WebAssembly with SIMD"), "there is no node")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_another_text_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    export = text_deployment.export_text_c
    monkeypatch.setattr(text_deployment, "export_text_c", lambda made, folder, texts: export(small(1), folder, texts))
    with pytest.raises(RuntimeError, match="C, gcc -O2: expected the text that Python wrote, got another"):
        text_deployment.measured(small(), tokens=20, rounds=1)


def test_the_document_has_the_stored_results() -> None:
    page = (DOCS / "howto" / "text-on-devices.md").read_text()
    rows = json.loads((ROOT / "benchmarks" / "text-on-devices.json").read_text())["rows"]
    shown = re.findall(r"^\| ((?:C|WebAssembly|Python)[^|]*) \| ([\d,]+) \| ([\d,]+) to ([\d,]+) \|$", page, re.MULTILINE)
    assert shown == [(name, *(f"{round(row[key], -2):,.0f}" for key in ("median", "least", "greatest"))) for name, row in rows.items()]
    found = json.loads((ROOT / "benchmarks" / "text-export.json").read_text())
    scores = " | ".join(f"{found[f'{name}_bits_per_byte']:.4f}" for name in ("float", "int8", "integer"))
    assert f"up to four spikes | {found['tokens']:,} | {scores} |" in page
    assert f"take {found['tables_bytes']:,} bytes, and a text takes {found['memory_bytes']:,} bytes" in page
