"""The C engine of image networks equals the reference to the bit: random networks and hostile images, under the sanitisers of gcc."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.deploy import export_c, quantise
from support.integer_images import CONVERTED, converted, deployed_image, pixels, random_images_network

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="needs gcc")
STRICT = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror"
SANE = "-O1 -fsanitize=undefined,address -fno-sanitize-recover=all"
SELFTEST = "-DDX_TRACE -DDX_DEBUG=1 test/selftest.c dendrix_image.c model.c"


def gcc(folder: Path, options: str) -> str:
    """Compile in the folder, run, and return what was printed."""
    subprocess.run([str(GCC), *options.split(), "-o", "a.out"], cwd=folder, check=True, capture_output=True)
    return subprocess.run(["./a.out"], cwd=folder, check=True, capture_output=True, text=True, input="").stdout


@needs_gcc
@pytest.mark.timeout(1800)  # each example compiles or starts a program, slowly where the machine does other work as well
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans(), dense=st.sampled_from([0, 2, 1000]))
def test_c_equals_the_reference_on_random_networks(tmp_path_factory: pytest.TempPathFactory, seed: int, extreme: bool, dense: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_images_network(rng, extreme)
    made = deployed_image(net)
    folder = tmp_path_factory.mktemp("c") / "net"
    export_c(replace(made, rule=replace(made.probability, threshold=0.7), abstain=0.3), folder, pixels(rng, net, 6))
    assert "6 images equal" in gcc(folder, f"{STRICT} {SANE} -DDX_DENSE={dense} {SELFTEST}")


@needs_gcc
@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("bits", [pytest.param(4, marks=pytest.mark.extended), 8])
def test_c_equals_the_reference_on_converted_networks(kind: str, bits: int, tmp_path: Path) -> None:
    net = quantise(converted(kind), weights=bits)
    export_c(deployed_image(net), tmp_path / "net", pixels(np.random.default_rng(0), net, 4))
    assert "4 images equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST}")
