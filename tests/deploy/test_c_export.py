"""The C engine equals the reference to the bit: real clips, random networks and hostile inputs, under the sanitisers of gcc."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.deploy import Deployed, IntegerMel, export_c, margin_rule, quantise
from dendrix.errors import InputError
from dendrix.exits import Entropy
from dendrix.models import Decision
from support.exports import GCC, SANE, SELFTEST, STRICT, gcc, hostile_sounds, needs_gcc
from support.integer_networks import NEURONS, deployed, frames, network, random_network


def values(rng: np.random.Generator, channels: int, count: int, low: int = -130, high: int = 130) -> list[np.ndarray]:
    """Clips of hostile values, also beyond the range of the input, some of which end within a frame."""
    return [rng.integers(low, high, int(rng.integers(1, 30)) * channels + int(rng.integers(0, channels))) for _ in range(count)]


@needs_gcc
@pytest.mark.timeout(1800)  # each example compiles or starts a program, slowly where the machine does other work as well
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans(), bits=st.sampled_from([8, 16]))
def test_c_equals_the_reference_on_random_networks(tmp_path_factory: pytest.TempPathFactory, seed: int, extreme: bool, bits: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, extreme, bits)
    folder = tmp_path_factory.mktemp("c") / "net"
    export_c(deployed(net), folder, values(rng, net.inputs.channels, 3, *((-130, 130) if bits == 8 else (-32768, 32768))))
    assert "3 clips equal" in gcc(folder, f"{STRICT} {SANE} {SELFTEST}")


@needs_gcc
@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("bits", [4, 8])
def test_c_equals_the_reference_on_every_kind(kind: str, bits: int, tmp_path: Path) -> None:
    net = quantise(network(kind), [frames()], weights=bits)
    rng = np.random.default_rng(0)
    rule = replace(deployed(net).probability, threshold=0.6)
    export_c(deployed(net, rule=rule, abstain=0.3), tmp_path / "net", values(rng, 6, 8))
    assert "8 clips equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST}")


@needs_gcc
@pytest.mark.parametrize("accumulation", ["sum", "mean", "last", "max"])
def test_margin_with_every_accumulation(accumulation: str, tmp_path: Path) -> None:
    net, rng = quantise(network(), [frames()]), np.random.default_rng(0)
    decision = Decision(accumulation, tail_ms=3.0)
    rule = replace(margin_rule(net, decision), threshold=(0.5, 0.2 if accumulation != "sum" else 2.0), min_steps=3)
    made = deployed(net, decision=decision, rule=rule)
    clips = values(rng, 6, 8)
    answers = [made.answer(made.totals(clip)) for clip in clips]
    assert len({answer.steps for answer in answers if answer.stopped}) > 1
    export_c(made, tmp_path / "net", clips)
    assert "8 clips equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST}")


@needs_gcc
def test_the_folder_compiles_clean_and_its_program_answers(tmp_path: Path) -> None:
    net = quantise(network(), [frames()])
    export_c(deployed(net), tmp_path / "net", values(np.random.default_rng(0), 6, 2))
    folder = tmp_path / "net"
    subprocess.run(f"{GCC} -O2 {STRICT} *.c -o program", cwd=folder, check=True, shell=True)
    clip = torch.randint(-100, 100, (20 * 6,)).numpy()
    said = subprocess.run(["./program"], cwd=folder, input=clip.astype("<i2").tobytes(), capture_output=True, check=True).stdout.decode()
    made = deployed(net)
    answer = made.answer(made.totals(clip))
    assert f'"label": "class {answer.label}"' in said
    assert f'"steps": {answer.steps}, "stopped": false' in said
    assert subprocess.run(["./program"], cwd=folder, input=b"", capture_output=True).returncode == 1


@needs_gcc
def test_labels_are_any_text(tmp_path: Path) -> None:
    """Quotes, other alphabets, controls, and what C99 reads as trigraphs: each comes back as JSON."""
    labels = ('a "quoted\\one', "日本 😀 é", "??/ ??= %s */", "tab\tbell\x07\x1b9")
    made = replace(deployed(quantise(network(), [frames()])), labels=labels)
    export_c(made, tmp_path / "net", values(np.random.default_rng(0), 6, 1))
    subprocess.run(f"{GCC} -O0 {STRICT} *.c -o program", cwd=tmp_path / "net", check=True, shell=True)
    found = set()
    for seed in range(40):
        clip = np.random.default_rng(seed).integers(-120, 120, 60)
        said = subprocess.run(
            ["./program"], cwd=tmp_path / "net", input=clip.astype("<i2").tobytes(), capture_output=True, check=True
        ).stdout
        found.add(json.loads(said)["label"])
        assert json.loads(said)["label"] == labels[made.answer(made.totals(clip)).label]
    assert len(found) > 1


@needs_gcc
@pytest.mark.parametrize(
    "mel",
    [
        IntegerMel(dt_ms=20.0, n_mels=6, centred=True),
        IntegerMel(dt_ms=10.0, n_mels=6, window_ms=25.0, floor=1e-8, mean=-8.0, release_ms=None),
        IntegerMel(rate=16_000, dt_ms=10.0, n_mels=6, window_ms=30.0, f_max=8_000.0, release_ms=50.0, peak_floor=2e-5),
    ],
    ids=["centred gain", "plain", "fast gain at 16 kHz"],
)
def test_hostile_sounds(mel: IntegerMel, tmp_path: Path) -> None:
    net = quantise(network(), [frames()])
    clips = hostile_sounds(np.random.default_rng(1))
    export_c(deployed(net, encoder=mel, dt_ms=mel.dt_ms), tmp_path / "net", clips)
    assert "6 clips equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST}")


ERRORS = r"""
#include "dendrix.h"
#include "model.h"
#include <stdio.h>
static uint64_t memory[(DX_SIZE + 7) / 8];
int main(void) {
  dx_answer a;
  int16_t x[6] = {0};
  int code[14], n = 0;
  code[n++] = dx_init(memory, sizeof memory, &dx_network, 0);
  dx_result(memory, &a);
  code[n++] = a.label;
  code[n++] = dx_init(memory, 8, &dx_network, 0);
  code[n++] = dx_init(memory, sizeof memory, &dx_network, 8000);
  code[n++] = dx_init(NULL, 0, NULL, 0);
  dx_init(memory, sizeof memory, &dx_network, 0);
  code[n++] = dx_stop(memory);
  code[n++] = dx_push(memory, NULL, 0);
  code[n++] = dx_push(memory, NULL, 1);
  code[n++] = dx_push(memory, x, 6);
  code[n++] = dx_stop(memory);
  code[n++] = dx_stop(memory);
  code[n++] = dx_push(memory, x, 6);
  code[n++] = dx_result(NULL, &a);
  for (int i = 0; i < n; i++) printf("%d ", code[i]);
  return 0;
}
"""


@needs_gcc
def test_misuse_returns_error_codes(tmp_path: Path) -> None:
    export_c(deployed(quantise(network(), [frames()])), tmp_path / "net", [np.zeros(6, np.int64)])
    (tmp_path / "net" / "errors.c").write_text(ERRORS)
    said = gcc(tmp_path / "net", "-DDX_DEBUG=1 errors.c dendrix.c model.c")
    assert said.split() == ["0", "-1", "-3", "-2", "-1", "-5", "0", "-1", "0", "0", "-4", "-4", "-1"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    with pytest.raises(FileExistsError):
        export_c(deployed(quantise(network(), [frames()])), tmp_path / "net", [np.zeros(6, np.int64)])
    assert not list((tmp_path / "net").iterdir())


@pytest.mark.parametrize("clips", [[], [np.zeros(0, np.int64)], [np.full(3, 40_000)]])
def test_clips_that_are_no_test(clips: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"clips(, item 0)?: expected"):
        export_c(deployed(quantise(network(), [frames()])), tmp_path / "net", clips)
    assert not list(tmp_path.iterdir())


def test_parts_that_do_not_fit() -> None:
    net = quantise(network(), [frames()])
    made = deployed(net)
    with pytest.raises(InputError, match="no integer form"):
        replace(made, decision=replace(made.decision, accumulation="softmax-sum"))
    with pytest.raises(InputError, match="Entropy, which has no integer form"):
        replace(made, rule=Entropy(0.5))
    with pytest.raises(InputError, match="labels: expected 4"):
        replace(made, labels=("a",))
    with pytest.raises(InputError, match="unit="):
        replace(made, rule=replace(made.probability, unit=1.0))
    with pytest.raises(InputError, match="encoder: expected"):
        Deployed(net, made.labels, made.decision, IntegerMel(n_mels=5))
