"""Prompts that begin like earlier texts: they are read from there on, with the same answer."""

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from dendrix.data.text.detokenization import continuation
from dendrix.generate import Decoder, Weights
from dendrix.models import SpikeGPT
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from dendrix.serve.sessions.prefixes import BLOCK, Trail, block_digests
from support.servers import Running, Start

LONG = "It was a bright cold day in the harbour, and the clocks were late. " * 4


def ask(server: Running, prompt: Any, token: str = "none", **fields: Any) -> Any:
    return server.client(token).completions.create(**{"model": "tiny", "prompt": prompt, "max_tokens": 9, "temperature": 0} | fields)


def known(answer: Any) -> int:
    return int(answer.usage.prompt_tokens_details.cached_tokens)


def test_a_prompt_is_read_once(start: Start) -> None:
    server = start()
    first = ask(server, LONG)
    assert known(first) == 0
    again, longer = ask(server, LONG), ask(server, LONG + first.choices[0].text + "!")
    assert again.choices[0].text == first.choices[0].text
    assert (again.usage.prompt_tokens, known(longer)) == (len(LONG), len(LONG) // BLOCK * BLOCK)
    assert known(ask(server, "x" + LONG)) == 0
    other = ask(server, LONG[: 2 * BLOCK] + "another ending")
    assert known(other) == 2 * BLOCK


def test_an_answer_is_known_too(start: Start) -> None:
    server = start()
    answer = ask(server, LONG, max_tokens=BLOCK + 9, logit_bias={str(token): -100 for token in range(127, 256)})
    text = LONG + answer.choices[0].text
    assert len(text) == len(LONG) + BLOCK + 9
    assert known(ask(server, text)) == len(text) // BLOCK * BLOCK


def test_a_prefix_of_one_key_is_unknown_to_others(start: Start) -> None:
    server = start(token=["first-token", "second-token"])
    ask(server, LONG, "first-token")
    assert known(ask(server, LONG, "second-token")) == 0
    assert known(ask(server, LONG, "first-token")) == known(ask(server, LONG, "second-token")) > 0


def test_what_needs_the_whole_prompt_reads_it(start: Start) -> None:
    server = start()
    fresh = ask(server, LONG, echo=True, logprobs=1)
    again = ask(server, LONG, echo=True, logprobs=1)
    assert known(again) == 0
    assert again.choices[0].logprobs == fresh.choices[0].logprobs
    tokens = list(LONG.encode())
    ask(server, tokens)
    assert ask(server, tokens, echo=True).choices[0].text == ask(server, tokens, echo=True).choices[0].text
    assert ask(server, tokens, echo=True).choices[0].text.startswith(LONG)


def test_nothing_is_kept_without_room(start: Start) -> None:
    for limits in (Limits(prefix_bytes=0), Limits(prefix_bytes=10)):
        server = start(limits)
        assert known(ask(server, LONG)) == known(ask(server, LONG)) == 0


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_any_cut_in_any_company_gives_the_same_bits(network: SpikeGPT, served: Served, start: Start, weights: Weights) -> None:
    """The state at the end of a text, and so every answer, does not depend on where reading was interrupted."""
    own = Served("tiny", Decoder(network, weights), served.tokenizer)
    server = start(other=own)

    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), length=st.integers(1, 3 * BLOCK), seed=st.integers(0, 2**31))
    def same(data: st.DataObject, length: int, seed: int) -> None:
        text = torch.randint(0, 256, (length,), generator=torch.Generator().manual_seed(seed)).tolist()
        cut = data.draw(st.integers(0, length))
        company = data.draw(st.integers(0, 3))
        whole = list(text)
        for _ in range(4):
            logits, _ = own.decoder.prefill(torch.tensor([whole]))
            whole.append(int(logits.argmax()))
        expected = ask(server, [text, *[[*text[:cut], each] for each in range(company)]], max_tokens=4)
        assert expected.choices[0].text == continuation(own.tokenizer, text, whole[length:])
        again = ask(server, [*[[*text[:cut], 9, each] for each in range(company)], text], max_tokens=4)
        assert again.choices[company].text == expected.choices[0].text

    same()


def test_digests_depend_on_all_tokens_before_and_on_the_owner() -> None:
    text = list(range(3 * BLOCK + 5))
    digests = block_digests("a", text)
    assert len(set(digests)) == 3
    assert block_digests("a", text[: 2 * BLOCK]) == digests[:2]
    assert not set(digests) & set(block_digests("b", text))
    assert not set(digests[0:1]) & set(block_digests("a", [1, *text[1:]]))
    trail, found = Trail("a"), list[bytes]()
    for token in text:
        trail = trail.copy()
        if trail.push([token]):
            found.append(trail.digest)
    assert found == digests
