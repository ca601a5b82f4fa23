"""The shipped digit network in whole numbers on all recordings: agreement with floating point, and equality of the C engine."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.data.speech.fsdd import fsdd_recordings
from dendrix.data.speech.integer_base import samples
from dendrix.exits import Pareto
from dendrix.runs.deployment import DeployRun, export_run, prepare_run
from dendrix.runs.prediction import encoder_of

pytestmark = pytest.mark.shared

EVERY_CLIP = r"""
#include "dendrix.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
static union { uint64_t a; unsigned char b[DX_SIZE]; } memory;
int main(void) {
  uint32_t count;
  while (fread(&count, 4, 1, stdin) == 1) {
    int16_t *values = malloc(2 * count + 1);
    dx_answer answer;
    if (fread(values, 2, count, stdin) != count) return 1;
    dx_model all = dx_network;
    all.decision.rule = DX_NEVER;
    dx_init(&memory, sizeof memory, &all, DX_RATE_HZ);
    dx_push(&memory, values, count);
    dx_stop(&memory);
    fwrite(dx_totals(&memory), 8, all.decision.classes, stdout);
    dx_init(&memory, sizeof memory, &dx_network, DX_RATE_HZ);
    if (dx_push(&memory, values, count) == DX_MORE) dx_stop(&memory);
    dx_result(&memory, &answer);
    fwrite(&answer, 4, 4, stdout);
    free(values);
  }
  return 0;
}
"""


def recordings(shared: Path, share: int) -> list[np.ndarray]:
    """16-bit samples of every `share`-th clip."""
    return [samples(wave) for wave in fsdd_recordings(shared / "data").waves[::share]]


@pytest.mark.parametrize(("bits", "agreed"), [(8, 0.999), (4, 0.995)])
@pytest.mark.parametrize("share", [pytest.param(1, marks=pytest.mark.extended), 25])
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_c_on_every_clip(shared: Path, bits: int, agreed: float, share: int, tmp_path: Path) -> None:
    ready = export_run(DeployRun(Path("fsdd"), weights=bits, goal=Pareto(), root=shared / "data"), "c", tmp_path / "c")
    clips = recordings(shared, share)
    (tmp_path / "c" / "every.c").write_text(EVERY_CLIP)
    options = ["-std=c99", "-O2", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-DDX_TRACE"]
    subprocess.run(["gcc", *options, "every.c", "dendrix.c", "model.c", "-o", "every"], cwd=tmp_path / "c", check=True)
    given = b"".join(np.uint32(len(clip)).tobytes() + clip.astype("<i2").tobytes() for clip in clips)
    said = subprocess.run(["./every"], cwd=tmp_path / "c", input=given, capture_output=True, check=True).stdout
    found = np.frombuffer(said, np.dtype([("totals", "<i8", 10), ("answer", "<i4", 4)]))
    network, decision = ready.opened.network, ready.deployed.decision
    encoder, same = encoder_of(ready.opened.checkpoint), 0
    for clip, one in zip(clips, found, strict=True):
        totals = ready.deployed.totals(clip)
        answer = ready.deployed.answer(totals)
        assert np.array_equal(one["totals"], totals[-1])
        assert one["answer"].tolist() == [answer.label, answer.confidence, answer.steps, int(answer.stopped)]
        x = torch.cat([encoder.encode((clip / 32768).astype(np.float32)), torch.zeros(ready.deployed.tail, 24)])
        with torch.no_grad():
            same += int(decision.evidence(network, x.unsqueeze(0))[0, -1].argmax()) == int(totals[-1].argmax())
    assert same / len(clips) >= agreed


def test_sizes_of_the_shipped_network(shared: Path) -> None:
    costs = prepare_run(DeployRun(Path("fsdd"), root=shared / "data")).costs
    assert costs.tables_bytes + costs.engine_bytes < 56_000
    assert costs.memory_bytes < 10_000
