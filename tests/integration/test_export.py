"""torch.export and ONNX: the exported program and the ONNX model give what the network gives, its state too."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dendrix import use_kernels
from dendrix.layers import DelayLinear, Sequential
from dendrix.neurons import LI, LIF

onnx = pytest.importorskip("onnx", reason="needs onnx and onnxscript: pip install onnx onnxscript")
pytest.importorskip("onnxscript", reason="needs onnxscript: pip install onnxscript")


@pytest.fixture
def network() -> Sequential:
    return Sequential(DelayLinear(32, 48, 100.0, 10.0), LIF(48), nn.Linear(48, 64), LI(64)).eval()


@pytest.mark.parametrize("mode", ["auto", "reference"])
def test_an_exported_program_gives_the_same(network: Sequential, mode: str) -> None:
    x = 4 * torch.rand(4, 24, 32)
    with use_kernels(mode):
        program = torch.export.export(network, (x,))
        expected = network(x)
    kernels = [str(node.target) for node in program.graph.nodes if "dendrix" in str(node.target)]
    assert bool(kernels) == (mode == "auto")
    y, state = program.module()(x)
    assert_close(y, expected[0])
    assert_close(state[1].v, expected[1][1].v)


@pytest.mark.parametrize("mode", ["auto", "reference"])
def test_an_onnx_model_gives_the_same_and_goes_on(network: Sequential, mode: str) -> None:
    from onnx.reference import ReferenceEvaluator

    x = 4 * torch.rand(2, 24, 32)
    with torch.no_grad():
        _, state = network(x[:, :12])
    with use_kernels(mode):
        program = torch.onnx.export(network, (x[:, 12:], state), dynamo=True, verbose=False)
    model = program.model_proto
    assert {node.domain for node in model.graph.node} == {""}  # operators of ONNX only
    names = [given.name for given in model.graph.input]
    given = [x[:, 12:], state[0], state[1].v, state[3].v]
    found = ReferenceEvaluator(model).run(None, {name: part.detach().numpy() for name, part in zip(names, given, strict=True)})
    assert_close(torch.from_numpy(found[0]), network(x)[0][:, 12:].detach())
