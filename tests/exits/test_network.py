"""Recording networks: padding, modes, hidden state, and fingerprints."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from dendrix.core import State, Stateful, accumulate
from dendrix.data import Batch
from dendrix.exits import ExitRecord, expect_explicit_state, fingerprint, record_outputs
from dendrix.layers import BatchNorm, DelayLinear, HeldDropout, Sequential
from dendrix.neurons import LI, LIF
from support.networks import rate_if, signed_if

C, K = 5, 3


@pytest.fixture
def model() -> Sequential:
    layers = DelayLinear(C, 8, max_delay_ms=30, dt_ms=10), BatchNorm(8), LIF(8, dt_ms=10), HeldDropout(0.5), nn.Linear(8, K), LI(K)
    return Sequential(*layers)


def batches() -> list[Batch]:
    """Three batches of unequal size and length, with padding behind, before and between."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for count, steps in ((4, 7), (2, 9), (3, 5)):
        valid = torch.rand(count, steps, generator=generator) < 0.7
        valid[0] = torch.arange(steps) < 3
        valid[1] = torch.arange(steps) >= 2
        x = torch.rand(count, steps, C, generator=generator) * 3
        found.append(Batch(x.masked_fill(~valid.unsqueeze(-1), torch.nan), valid, torch.randint(K, (count,), generator=generator)))
    return found


class Summing(nn.Module):
    """Adds its input up, in a state that it keeps to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        self.total = self.total + x.sum()
        return x.cumsum(1) + self.total, ()


class Returning(nn.Module):
    """Returns what it is told to."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> object:
        return self.value


def test_each_input_is_recorded_as_if_it_were_alone_and_unpadded(model: Sequential) -> None:
    found = record_outputs(model, batches(), accumulation="mean", dt_ms=10.0)
    row = 0
    model.eval()
    for x, valid, y in batches():
        for b in range(len(x)):
            alone, _ = model(x[b : b + 1, valid[b]])
            end = int(valid[b].sum())
            assert found.ends[row] == end
            assert found.labels[row] == y[b]
            assert_close(found.outputs[row, :end], alone[0])
            assert not found.outputs[row, end:].any()
            row += 1
    assert len(found) == row
    assert found.outputs.shape[1] == int(found.ends.max())
    assert (found.accumulation, found.dt_ms, found.model) == ("mean", 10.0, fingerprint(model))


def test_final_evidence_is_that_of_the_padded_batch(model: Sequential) -> None:
    found = record_outputs(model, batches(), accumulation="mean")
    model.eval()
    expected = torch.cat([accumulate(model(x, None, valid)[0], valid, "mean")[:, -1] for x, valid, _ in batches()])
    assert_close(found.evidence()[torch.arange(len(found)), found.ends - 1], expected)


def test_labels_and_masks_may_be_missing(model: Sequential) -> None:
    x, y = torch.rand(6, 4, C), torch.randint(K, (6,))
    whole = record_outputs(model, [(x, y)])
    assert (whole.lengths, torch.equal(whole.labels, y)) == (None, True)
    assert record_outputs(model, [x]).labels is None
    loader = DataLoader(TensorDataset(x, y), batch_size=4)  # gives lists
    assert_close(record_outputs(model, loader).outputs, whole.outputs)
    assert_close(record_outputs(model, iter(x.split(2))).outputs, whole.outputs)


def test_every_part_is_in_its_mode_again(model: Sequential) -> None:
    model.train()
    model.stages[1].eval()  # a frozen BatchNorm
    before, modes = {k: v.clone() for k, v in model.state_dict().items()}, [part.training for part in model.modules()]
    record_outputs(model, batches())
    assert [part.training for part in model.modules()] == modes
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    with pytest.raises(ValueError, match="valid: expected"):
        record_outputs(model, [(torch.rand(1, 2, C), torch.ones(2, 1, dtype=torch.bool), torch.zeros(1))])
    assert [part.training for part in model.modules()] == modes


def test_a_record_has_no_gradient(model: Sequential) -> None:
    assert not record_outputs(model, batches()).outputs.requires_grad


def test_progress_counts_inputs(model: Sequential) -> None:
    seen: list[int] = []
    record_outputs(model, batches(), progress=seen.append)
    assert seen == [4, 6, 9]


def test_float64_is_kept(model: Sequential) -> None:
    found = record_outputs(model.double(), [torch.rand(2, 3, C, dtype=torch.float64)])
    assert found.outputs.dtype == torch.float64


def test_hidden_state_is_found_and_explained() -> None:
    with pytest.raises(ValueError, match="keeps hidden state between calls") as caught:
        record_outputs(Summing(), batches_of_ones())
    assert "taken as an argument, returned, and None at rest" in str(caught.value)


def test_a_random_network_is_refused() -> None:
    class Noisy(Stateful):
        def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
            return x + torch.randn_like(x), ()

    with pytest.raises(ValueError, match="or it is random"):
        record_outputs(Noisy(), batches_of_ones())


def test_explicit_state_passes(model: Sequential) -> None:
    x, valid, _ = batches()[0]
    model.eval()
    assert torch.equal(expect_explicit_state(model, x, valid), model(x, None, valid)[0])


def batches_of_ones() -> list[Tensor]:
    return [torch.ones(2, 3, K)]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (torch.ones(2, 3, K), TypeError, r"expected a pair \(outputs \[B, T, K\], state\) from model\(x\), got Tensor"),
        ((torch.ones(2, 3, K), (), ()), TypeError, "expected a pair .* got tuple"),
        ((None, ()), TypeError, "expected a pair"),
        ((torch.ones(2, K), ()), ValueError, r"outputs: expected \[B=2, T=3, K\], got \[2, 3\]"),
        ((torch.ones(2, 4, K), ()), ValueError, r"outputs: expected \[B=2, T=3, K\], got \[2, 4, 3\]"),
        ((torch.ones(2, 3, K).log() * torch.inf, ()), ValueError, r"outputs: expected finite numbers, got nan at index \[0, 0, 0\]"),
    ],
)
def test_what_is_no_network_over_time_is_refused(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        record_outputs(Returning(value), batches_of_ones())
    assert "\n" not in str(caught.value)


def test_bad_batches_are_one_sentence(model: Sequential) -> None:
    x, y = torch.rand(2, 3, C), torch.zeros(2, dtype=torch.int64)
    empty = torch.tensor([[True, True, False], [False, False, False]])
    for given, error, message in (
        ([], ValueError, "batches: expected at least one batch, got none"),
        ([(x, empty, y)], ValueError, "valid: expected a valid step in every input, got none in row 1"),
        ([(x, torch.tensor([3, 2]), y)], ValueError, r"valid: expected \[B=2, T=3\], got \[2\]"),
        ([{"x": x}], TypeError, r"batches: expected \(x, valid, y\), \(x, y\) or x, got dict"),
        ([(x, y), x], ValueError, r"labels: expected \[N=4\], got \[2\]"),
        ([(x, y + K)], ValueError, "labels: expected whole numbers from -1 to 2, got 3 to 3"),
    ):
        with pytest.raises(error, match=message) as caught:
            record_outputs(model, given)
        assert "\n" not in str(caught.value)


def test_a_record_that_cannot_fit_is_refused_early(model: Sequential) -> None:
    class Endless(list[Tensor]):
        def __len__(self) -> int:
            return 2**50

    with pytest.raises(MemoryError, match="the outputs of all batches take about"):
        record_outputs(model, Endless(batches_of_inputs()))


def batches_of_inputs() -> list[Tensor]:
    return [torch.rand(2, 3, C)]


def test_a_fingerprint_sees_every_change(model: Sequential) -> None:
    before = fingerprint(model)
    assert len(before) == 64
    assert fingerprint(model) == before
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, tensor in state.items():
        changed = dict(state)
        changed[name] = tensor + 1
        model.load_state_dict(changed)
        assert fingerprint(model) != before
    model.load_state_dict(state)
    assert fingerprint(model) == before
    assert fingerprint(model.double()) != before


def test_a_fingerprint_sees_the_constants_of_neurons() -> None:
    neurons = [LIF(3), LIF(3, v_threshold=0.5), LIF(3, v_threshold=0.7), LIF(3, v_reset=0.1), LIF(3, scale_input=True)]
    assert len({fingerprint(Sequential(neuron)) for neuron in neurons}) == len(neurons)
    assert fingerprint(Sequential(LIF(3, v_threshold=1.0))) == fingerprint(Sequential(LIF(3)))


def test_a_fingerprint_sees_names_and_shapes() -> None:
    wide, tall = nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False)
    tall.load_state_dict({"weight": wide.weight.reshape(3, 2)})
    assert fingerprint(wide) != fingerprint(tall)
    assert fingerprint(nn.Sequential(wide)) != fingerprint(wide)


def test_a_fingerprint_sees_the_neurons() -> None:
    def network(neuron: nn.Module) -> Sequential:
        return Sequential(nn.Linear(3, 2, bias=False), neuron)

    torch.manual_seed(0)
    kinds = [rate_if(2), signed_if(2), signed_if(2, limit=4), signed_if(2, limit=5)]
    networks = [network(kind) for kind in kinds]
    for other in networks:
        other.load_state_dict(networks[0].state_dict(), strict=False)  # `SignedIF` has no amplitude
    found = [fingerprint(other) for other in networks]
    assert len(set(found)) == 4
    networks[3](torch.rand(1, 2, 3))
    assert fingerprint(networks[3].eval()) == found[3]


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    linear = nn.Linear(3, 2)
    linear.load_state_dict({"weight": torch.arange(6.0).view(2, 3), "bias": torch.tensor([-1.0, 1.0])})
    assert fingerprint(linear) == "83f770c35471d76b9b806dee5cae4a12f986340859d8ae992f54310f8c7894c1"
    assert fingerprint(linear.bfloat16()) == "dafda680b5aed0c2f029336065a79532fecca76a49f8fc348ccdac3b84a801d5"


def test_a_recorded_file_comes_back(model: Sequential, tmp_path: Path) -> None:
    found = record_outputs(model, batches())
    found.save(tmp_path / "record.npz")
    back = ExitRecord.load(tmp_path / "record.npz")
    assert torch.equal(back.outputs, found.outputs)
    assert back.model == fingerprint(model)
    assert replace(back, labels=None).labels is None
