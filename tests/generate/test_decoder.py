"""A decoder gives what its model gives, and each row the same to the bit: alone, in a batch, at once, in pieces or token by token."""

from dataclasses import replace
from threading import Thread

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.errors import KernelError
from dendrix.generate import Decoder, Weights
from dendrix.generate.memory import pack
from dendrix.generate.packing import fingerprint, pack_network, unpack_network
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.neurons import PUBLISHED, NeuronConfig

TERNARY = NeuronConfig(levels=2, signed=True, decays=True, scales=True)
KINDS = [
    ("output", False, "float32"),
    pytest.param(("input", True, "float32"), marks=pytest.mark.extended),
    pytest.param(("none", False, "float32"), marks=pytest.mark.extended),
    ("output", True, "int8"),
    ("input", False, "int8"),
    ("input", False, "bfloat16"),
    ("input", False, "int8", TERNARY),
    ("output", False, "float32", NeuronConfig(norm=True, decays=True)),
    ("input", True, "int8", NeuronConfig(levels=3, separate=True)),
    pytest.param(("input", True, "float32", NeuronConfig(signed=True)), marks=pytest.mark.extended),
]


def lively(
    spikes: str = "output", channel_first: bool = False, neurons: NeuronConfig = PUBLISHED, width: int = 37, layers: int = 3, **kind: int
) -> SpikeGPT:
    """A model whose neurons fire, and whose logits are far apart; its sizes are no multiples of anything."""
    torch.manual_seed(1)
    model = SpikeGPT(SpikeGPTConfig(300, width, layers, spikes=spikes, channel_first=channel_first, neurons=neurons, **kind)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "emb" not in name:
                weight.mul_(4)
            elif weight.dim() != 2:  # so that no norm is like another
                weight.add_(0.1 * torch.randn(weight.shape))
    return model


@pytest.fixture(scope="module", params=KINDS, ids=str)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    spikes, channel_first, weights, *neurons = request.param
    return Decoder(lively(spikes, channel_first, *neurons), weights)


def tokens(batch: int, length: int) -> Tensor:
    return torch.randint(0, 300, (batch, length))


@torch.no_grad()
def test_integer_sums_of_spikes_equal_float_sums_to_the_bit() -> None:
    model = lively("input", width=160)
    model.blocks[0].ffn.norm.bias.fill_(1e4)  # all 640 neurons fire
    model.blocks[0].ffn.value.weight.fill_(0.01)  # 127 in int8, and 640 times 127 exceeds int16
    decoder, control, text = Decoder(model, "int8"), Decoder(model, "int8"), tokens(2, 20)
    control.packed = pack_network(model, "int8", gathers=False)
    with use_kernels("required"):
        logits, state = decoder(text)
        expected, after = control(text)
        alone, _ = decoder.step(text[0, :1], decoder.rest())
    assert torch.equal(logits, expected)
    assert torch.equal(state, after)
    assert torch.equal(alone[0], logits[0, 0])


@torch.no_grad()
def test_integer_sums_of_counts_equal_float_sums_to_the_bit() -> None:
    model = lively("input", neurons=TERNARY, width=160)
    decoder, control, text = Decoder(model, "int8"), Decoder(model, "int8"), tokens(2, 20)
    control.packed = pack_network(model, "int8", gathers=False)
    with use_kernels("required"):
        logits, state = decoder(text)
        expected, after = control(text)
    assert torch.equal(logits, expected)
    assert torch.equal(state, after)


@torch.no_grad()
@pytest.mark.parametrize("width", [320, 512])  # tiles of all sizes
@pytest.mark.parametrize(("spikes", "weights"), [("input", "int8"), ("output", "int8"), ("input", "bfloat16")])
def test_wide_networks(spikes: str, weights: Weights, width: int) -> None:
    model = lively(spikes, width=width, layers=1)
    decoder, control, text = Decoder(model, weights), Decoder(model, weights), tokens(6, 3)
    control.packed = pack_network(model, weights, gathers=False)
    with use_kernels("required"):
        logits, state = decoder(text)
        alone, after = decoder(text[5:])
        everything, _ = control(text)
    assert torch.equal(alone[0], logits[5])
    assert torch.equal(after[0], state[5])
    assert torch.equal(logits, everything)
    with use_kernels("reference"):
        expected, after = decoder(text)
    assert_close(logits, expected, atol=1e-5, rtol=2e-6)
    assert_close(state, after, atol=1e-4, rtol=1e-5)


@torch.no_grad()
def test_equals_plain_torch(decoder: Decoder) -> None:
    text = tokens(3, 70)
    valid = torch.rand(3, 70) < 0.8
    with use_kernels("required"):
        logits, state = decoder(text, valid=valid)
    with use_kernels("reference"):
        expected, after = decoder(text, valid=valid)
    assert_close(logits, expected, atol=1e-5, rtol=1e-6)
    assert_close(state, after, atol=1e-4, rtol=1e-5)
    assert (logits[~valid] == 0).all()


@torch.no_grad()
@pytest.mark.parametrize(
    ("spikes", "channel_first"),
    [("output", False), *[pytest.param(*kind, marks=pytest.mark.extended) for kind in (("input", True), ("none", False))]],
)
def test_equals_the_model(spikes: str, channel_first: bool) -> None:
    model, text = lively(spikes, channel_first), tokens(2, 70)
    with use_kernels("required"):
        found, _ = Decoder(model)(text)
    assert_close(found, model(text)[0], atol=1e-5, rtol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("neurons", [NeuronConfig(), NeuronConfig(levels=2, scales=True)], ids=["published", "counts"])
@pytest.mark.parametrize("kind", [{"decay_rank": 4}, {"window": 5}, {"decay_rank": 4, "window": 5}], ids=str)
def test_plain_torch_decodes_time_mixes_that_have_no_loops(kind: dict[str, int], neurons: NeuronConfig) -> None:
    model, text = lively("input", neurons=neurons, width=36, **kind), tokens(2, 30)
    decoder, valid = Decoder(model), torch.rand(2, 30) < 0.8
    logits, state = decoder(text, valid=valid)
    assert_close(logits, model(text, None, valid)[0], atol=1e-4, rtol=1e-5)
    _, after = unpack_network(decoder.packed)(text, None, valid)  # its spikes have no amplitudes
    assert_close(state, pack(after, 2), atol=1e-4, rtol=1e-5)
    expected, after = decoder.prefill(text)
    state = decoder.prefill(text[:, :17])[1]
    for t in range(17, 30):
        logits, state = decoder.step(text[:, t], state)
    assert torch.equal(logits, expected)
    assert torch.equal(state, after)
    alone, _ = decoder.prefill(text[1:])
    assert torch.equal(alone[0], expected[1])
    if "window" in kind:
        with pytest.raises(ValueError, match="state: expected"):
            decoder.step(text[:1, 0], Decoder(lively("input", width=36)).rest())


def test_what_has_no_weights_identifies_a_model_too() -> None:
    plain = lively()
    kinds = [dict(), dict(v_threshold=0.5), dict(halve_stream=True), dict(binary_embedding=False)]
    found = set()
    for kind in kinds:
        other = SpikeGPT(replace(plain.config, **kind))
        other.load_state_dict(plain.state_dict())
        found.add(fingerprint(other))
    assert len(found) == len(kinds)


def test_numbers_of_spikes_identify_a_model() -> None:
    kinds = [dict(levels=1), dict(levels=2), dict(levels=3), dict(separate=True)]
    found = {Decoder(lively("input", neurons=NeuronConfig(**kind))).fingerprint for kind in kinds}
    assert len(found) == len(kinds)


@given(seed=st.integers(0, 2**31), rows=st.integers(1, 5), length=st.integers(1, 9))
@settings(max_examples=10, deadline=None)
def test_rows_and_pieces_change_nothing(decoder: Decoder, seed: int, rows: int, length: int) -> None:
    random = torch.Generator().manual_seed(seed)
    text = torch.randint(0, 300, (rows, length), generator=random)
    whole, end = decoder(text)
    row = int(torch.randint(rows, (), generator=random))
    alone, state = decoder(text[row : row + 1])
    assert torch.equal(alone[0], whole[row])
    assert torch.equal(state[0], end[row])
    cut = int(torch.randint(length, (), generator=random))
    state = decoder.rest(rows) if cut == 0 else decoder.prefill(text[:, :cut])[1]
    for t in range(cut, length):
        logits, state = decoder.step(text[:, t], state)
        assert torch.equal(logits, whole[:, t])
    assert torch.equal(state, end)


def test_padding_on_either_side_is_not_read(decoder: Decoder) -> None:
    text, valid = tokens(2, 150), torch.ones(2, 150, dtype=torch.bool)
    valid[0, :100] = valid[1, 90:] = False
    logits, state = decoder.prefill(text, valid=valid)
    for row, (alone, after) in enumerate([decoder.prefill(text[:1, 100:]), decoder.prefill(text[1:, :90])]):
        assert torch.equal(logits[row], alone[0])
        assert torch.equal(state[row], after[0])


def test_inputs_are_not_changed(decoder: Decoder) -> None:
    state = decoder.prefill(tokens(2, 5))[1]
    before = state.clone()
    decoder.step(torch.tensor([1, 2]), state)
    assert torch.equal(state, before)


def test_threads_change_nothing(decoder: Decoder) -> None:
    text, valid = tokens(5, 9), torch.ones(5, 9, dtype=torch.bool)
    valid[2, 1:] = False
    logits, state = decoder(text, valid=valid)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        again = decoder(text, valid=valid)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(logits, again[0])
    assert torch.equal(state, again[1])


@torch.no_grad()
def test_places_in_memory_change_nothing() -> None:
    """Arrays of a new thread lie elsewhere, and loops have versions for arrays that lie close together."""
    decoder, text, found = Decoder(lively(width=16, layers=1)), tokens(1, 1), []
    for _ in range(30):
        thread = Thread(target=lambda: found.append(decoder(text)))
        thread.start()
        thread.join()
    assert all(torch.equal(logits, found[0][0]) for logits, _ in found)
    assert all(torch.equal(state, found[0][1]) for _, state in found)


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
def test_weights_begin_with_a_line_of_the_cache(weights: Weights) -> None:
    packed = pack_network(lively("input"), weights)
    assert packed.weights.ctypes.data % 64 == 0
    assert packed.scales.ctypes.data % 64 == 0


def test_every_parameter_is_packed() -> None:
    models = [lively(spikes, channel_first) for spikes in ("output", "input", "none") for channel_first in (False, True)]
    models += [lively("input", neurons=NeuronConfig(levels=2, decays=True), decay_rank=3, window=4)]
    models += [lively("output", neurons=NeuronConfig(norm=True, scales=True, decays=True))]
    for model in models:
        with torch.no_grad():
            model.emb.weight.copy_(torch.where(model.emb.weight >= 0, 0.5, -0.5))
        assert_close(unpack_network(pack_network(model, "float32")).state_dict(), model.state_dict(), atol=1e-6, rtol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("weights", "largest"), [("float32", 1e-6), ("bfloat16", 2**-8), ("int8", 1 / 127)])
def test_rounded_weights_are_near(weights: Weights, largest: float) -> None:
    model = lively()
    held = dict(unpack_network(Decoder(model, weights).packed).named_parameters())
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and name != "emb.weight":
            assert ((held[name] - weight).abs().amax(1) <= largest * weight.abs().amax(1)).all(), name
        elif weight.dim() != 2:
            assert_close(held[name], weight, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_what_the_kernel_refuses_runs_in_plain_torch() -> None:
    model = SpikeGPT(SpikeGPTConfig(50, 16, 7, halve_stream=True)).eval()
    text = torch.randint(0, 50, (2, 9))
    assert_close(Decoder(model)(text)[0], model(text)[0])


def test_without_compilation_plain_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    model = lively(layers=1)
    with use_kernels("required"), pytest.raises(KernelError, match="NUMBA_DISABLE_JIT"):
        Decoder(model)(tokens(1, 2))
    text = tokens(1, 2)
    assert_close(Decoder(model)(text)[0], model(text)[0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda d: d.prefill(torch.tensor([[300]])), "tokens: expected 0 to 299"),
        (lambda d: d.prefill(torch.tensor([[0.5]])), "tokens: expected int64"),
        (lambda d: d.step(torch.tensor([1, 2]), d.rest(1)), "a row for each of 2 texts"),
        (lambda d: d.prefill(torch.zeros(1, 0, dtype=torch.int64)), "Axis T is empty"),
        (lambda d: d.prefill(tokens(1, 2), valid=torch.zeros(1, 2, dtype=torch.bool)), "at least one token in every row"),
        (lambda d: d.step(torch.tensor([1]), torch.zeros(1, 5)), "state: expected"),
        (lambda d: Decoder(lively(), "int4"), "weights: got 'int4'. Did you mean 'int8'"),
    ],
)
def test_bad_input_is_refused(call: object, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        call(Decoder(lively()))


def test_broken_weights_are_refused() -> None:
    model = lively()
    with torch.no_grad():
        model.head.weight[3, 3] = torch.nan
    with pytest.raises(ValueError, match=r"NaN or infinity in head\.weight"):
        Decoder(model)
