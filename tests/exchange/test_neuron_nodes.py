"""Nodes of neurons: what goes out is what came in."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dendrix.exchange import from_nir, to_nir
from dendrix.exchange.packages import require
from support.nir_graphs import DEFAULTS, SIZE, end, neuron, row

RANGES = {
    "tau": (1.1e-3, 0.1),
    "tau_mem": (1.1e-3, 0.1),
    "tau_syn": (1.1e-3, 0.1),
    "r": (0.1, 50.0),
    "w_in": (0.1, 5.0),
    "v_leak": (-0.5, 0.5),
    "v_threshold": (0.6, 2.0),
    "v_reset": (-1.0, 0.5),
}


@given(st.sampled_from(sorted(DEFAULTS)), st.sampled_from(["hard", "soft"]), st.integers(0, 2**31))
def test_parameters_survive_import_and_export(kind: str, reset: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    params = {name: draw.uniform(*RANGES[name], SIZE) for name in DEFAULTS[kind]}
    graph = row(("x", end("Input", SIZE)), ("n", neuron(kind, **params)), ("y", end("Output", SIZE)))
    network = from_nir(graph, 1.0, reset=reset).double()
    again = to_nir(network, compact=False)
    (name,) = again.of_type(kind)
    assert again.nodes[name].params.keys() == params.keys()
    for param, value in params.items():
        np.testing.assert_allclose(again.nodes[name].params[param], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("package", "extra"), [("nir", "nir"), ("h5py", "nir"), ("onnxruntime", "onnx")])
def test_an_absent_package_names_its_extra(package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"Exchange needs {package}, which is not installed: pip install dendrix\[{extra}\]"):
        require(package)
