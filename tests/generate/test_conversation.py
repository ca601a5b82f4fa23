"""Conversations: generation to its ends, and files that fit one model alone."""

import json
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save_file

pytest.importorskip("tokenizers")

from dendrix.core import use_kernels
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.errors import InputError
from dendrix.generate import Conversation, Decoder, Sampling, generate
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.neurons import NeuronConfig

GREEDY = Sampling(temperature=0)


@pytest.fixture(autouse=True)
def _plain() -> object:
    """Small enough for plain torch."""
    with use_kernels("reference"):
        yield


@pytest.fixture
def model(request: pytest.FixtureRequest) -> SpikeGPT:
    network = SpikeGPT(SpikeGPTConfig(256, 16, 2, **getattr(request, "param", {}))).eval()
    with torch.no_grad():
        network.head.weight.mul_(9)
    return network


def said(model: SpikeGPT, conversation: Conversation, count: int, **options: object) -> tuple[str, Conversation]:
    pieces = list(generate(Decoder(model), byte_tokenizer(), conversation, GREEDY, max_new_tokens=count, **options))
    return "".join(piece for piece, _ in pieces), pieces[-1][1]


def begun(model: SpikeGPT, text: str = "Once") -> Conversation:
    return Conversation(Decoder(model).rest(), ()).reads(list(text.encode()))


@pytest.mark.parametrize("model", [{}, dict(spikes="input", neurons=NeuronConfig(levels=4), decay_rank=3, window=4)], indirect=True)
def test_a_saved_conversation_goes_on_as_if_it_had_not_ended(model: SpikeGPT, tmp_path: Path) -> None:
    whole, _ = said(model, begun(model), 12)
    first, after = said(model, begun(model), 5)
    after.save(tmp_path / "c.safetensors", model)
    again = Conversation.load(tmp_path / "c.safetensors", model)
    assert again.next == after.next
    assert torch.equal(again.state, after.state)
    assert first + said(model, again, 7)[0] == whole


def test_more_text_is_read_after_what_was_said(model: SpikeGPT) -> None:
    first, after = said(model, begun(model), 1)
    assert said(model, after.reads(list(b" and")), 6)[0] == said(model, begun(model, f"Once{first} and"), 6)[0]


def test_a_seed_decides_what_is_drawn(model: SpikeGPT) -> None:
    def drawn(seed: int) -> str:
        random = torch.Generator().manual_seed(seed)
        return "".join(
            p for p, _ in generate(Decoder(model), byte_tokenizer(), begun(model), Sampling(2.0), max_new_tokens=9, generator=random)
        )

    assert drawn(1) == drawn(1) != drawn(2)


def test_nothing_to_read_is_refused(model: SpikeGPT) -> None:
    with pytest.raises(ValueError, match="prompt: expected some text, got none"):
        said(model, begun(model, ""), 3)
    with pytest.raises(ValueError, match="max_new_tokens: expected"):
        said(model, begun(model), 0)


def test_files_of_other_models_and_other_files_are_refused(model: SpikeGPT, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    begun(model).save(path, model)
    other = SpikeGPT(SpikeGPTConfig(256, 16, 2))
    with pytest.raises(ValueError, match="expected a conversation with this model, got one with another"):
        Conversation.load(path, other)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="expected a saved conversation, but it cannot be read"):
        Conversation.load(path, model)
    save_file({"state": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="got another file of tensors"):
        Conversation.load(path, model)
    with pytest.raises(FileNotFoundError, match="expected a saved conversation, but it does not exist"):
        Conversation.load(tmp_path / "absent", model)


def test_bytes_are_those_of_the_file(model: SpikeGPT, tmp_path: Path) -> None:
    _, after = said(model, begun(model), 5)
    after.save(tmp_path / "c.safetensors", model)
    content = (tmp_path / "c.safetensors").read_bytes()
    decoder = Decoder(model)
    assert (after.read, len(after.to_bytes(decoder.fingerprint))) == (len("Once") + 4, len(content))
    for written in (content, after.to_bytes(decoder.fingerprint)):
        again = Conversation.from_bytes(written, decoder.fingerprint)
        assert (again.next, again.read) == (after.next, after.read)
        assert torch.equal(again.state, after.state)


@given(places=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=3), length=st.integers(0, 10**4))
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_are_refused_in_words(places: list[tuple[int, int]], length: int) -> None:
    content = bytearray(Conversation(torch.zeros(1, 50), (1, 2), 7).to_bytes("model"))
    for place, byte in places:
        content[place] = byte
    cut = length < len(content)
    with pytest.raises(InputError) if cut else suppress(InputError):  # damage of the header may leave a whole conversation
        Conversation.from_bytes(bytes(content[:length]), "model")


@pytest.mark.parametrize("kind", ["F8_E8M0", "F4"])
def test_data_types_that_torch_does_not_have_are_refused(kind: str) -> None:
    about = {"format": "dendrix-conversation-1", "model": "model"}
    tensors = {"state": {"dtype": kind, "shape": [8], "data_offsets": [0, 4 if kind == "F4" else 8]}}
    header = json.dumps({"__metadata__": about, **tensors}).encode()
    with pytest.raises(InputError, match="cannot be read"):
        Conversation.from_bytes(len(header).to_bytes(8, "little") + header + bytes(tensors["state"]["data_offsets"][1]), "model")


def drawn(model: SpikeGPT, sampling: Sampling, **options: object) -> tuple[str, list[int]]:
    """The text and the tokens of a continuation."""
    found = list(generate(Decoder(model), byte_tokenizer(), begun(model), sampling, max_new_tokens=20, **options))
    return "".join(piece for piece, _ in found), [after.next[0] for _, after in found]


def test_a_token_ends_the_text_and_is_no_part_of_it(model: SpikeGPT) -> None:
    _, tokens = drawn(model, GREEDY)
    end = tokens.index(tokens[5])
    text, ended = drawn(model, GREEDY, ends=[tokens[5]])
    assert ended == tokens[: end + 1]
    assert text == bytes(tokens[:end]).decode(errors="replace")


def test_penalties_count_the_prompt_and_the_new_text(model: SpikeGPT) -> None:
    _, tokens = drawn(model, Sampling(0, repetition_penalty=1000))
    assert len(set(tokens) | set(b"Once")) == 24
