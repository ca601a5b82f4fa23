"""What a conversion cost, on networks whose answer is known."""

import json

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dendrix.convert import compare, convert
from dendrix.layers import QCFS
from support.networks import images, plain, residual


def test_one_layer_has_no_error_with_as_many_steps_as_levels() -> None:
    ann = nn.Sequential(nn.Conv2d(3, 6, 3), QCFS(4, 1.0), nn.Flatten(), nn.Linear(216, 5)).double().eval()
    x = images(10).double()
    found = compare(ann, convert(ann, x, neuron="if").network, x, steps=4, labels=ann(x).argmax(1), batch_size=4)
    assert found.layers[0].path == "1"
    assert_close(found.layers[0].error, 0.0, rtol=0, atol=1e-12)
    # Without negative spikes, spikes per step are the mean activation over the threshold.
    assert_close(found.layers[0].firing_rate, (ann[:2](x).mean() / ann[1].threshold).item())
    assert found.ann_accuracy == 1.0
    assert found.accuracy == found.agreement
    assert found.accuracy[-1] == 1.0


def test_errors_and_accuracy_are_those_of_the_whole_run() -> None:
    ann, x = residual().double(), images(8).double()
    labels = torch.arange(8) % 5
    network = convert(ann, x).network
    found = compare(ann, network, x, steps=3, labels=labels, batch_size=3)
    outputs, _ = network(network.encode(x, 3))
    assert_close(torch.tensor(found.accuracy), (outputs.cumsum(1).argmax(-1) == labels.unsqueeze(1)).float().mean(0))
    assert_close(torch.tensor(found.agreement), (outputs.cumsum(1).argmax(-1) == ann(x).argmax(-1).unsqueeze(1)).float().mean(0))
    seen = {}
    network.body.get_submodule("block2.act2").register_forward_hook(lambda *args: seen.update(spikes=args[2][0]))
    ann.block2.act2.register_forward_hook(lambda *args: seen.update(activation=args[2]))
    ann(x), network(network.encode(x, 3))
    expected = (seen["spikes"].mean(1) - seen["activation"]).norm() / seen["activation"].norm()
    last = found.layers[-1]
    assert last.path == "block2.act2"
    assert_close(last.error, expected.item())
    assert_close(last.firing_rate, (seen["spikes"] != 0).double().mean().item())
    assert [layer.path for layer in found.layers] == list(network.layers)
    assert json.loads(json.dumps(found.to_dict()))["layers"][0]["path"] == "act"


def test_nothing_is_left_behind_and_labels_are_optional() -> None:
    ann, x = plain(pool=nn.MaxPool2d), images()
    network = convert(ann, x, max_pool="spiking").network
    found = compare(ann, network, x, steps=2)
    assert found.accuracy is None
    assert found.ann_accuracy is None
    assert [layer.path for layer in found.layers] == ["2", "5", "11"]
    assert not [module for module in (*ann.modules(), *network.modules()) if module._forward_hooks]


def test_bad_input_is_refused() -> None:
    ann, x = plain(), images()
    network = convert(ann, x).network
    with pytest.raises(ValueError, match="steps: expected a whole number of at least 1"):
        compare(ann, network, x, steps=0)
    with pytest.raises(ValueError, match=r"labels: expected \[N=6\]"):
        compare(ann, network, x, steps=2, labels=torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="evaluation mode"):
        compare(plain().train(), network, x, steps=2)
