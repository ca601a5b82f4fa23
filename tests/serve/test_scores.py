"""Log-probabilities, echo, penalties and ends of answers, beside the decoder itself."""

import json
from typing import Any

import httpx
import pytest
import torch

from dendrix.serve.prepare import Served
from support.servers import Running


def asked(tiny: Running, **fields: Any) -> dict[str, Any]:
    answer = httpx.post(f"{tiny.url}/v1/completions", json={"model": "tiny", "temperature": 0} | fields, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def choice(tiny: Running, **fields: Any) -> dict[str, Any]:
    (found,) = asked(tiny, **fields)["choices"]
    return found


def scores(served: Served, tokens: list[int]) -> list[float]:
    """Log-probabilities of all tokens but the first, from one call of the decoder."""
    logits, _ = served.decoder(torch.tensor([tokens]))
    return torch.log_softmax(logits[0, :-1], 1).gather(1, torch.tensor(tokens[1:])[:, None]).flatten().tolist()


@pytest.mark.parametrize("prompt", ["How do spikes read?", "a long prompt " * 9])
def test_log_probabilities_of_prompt_and_answer_are_those_of_the_model(tiny: Running, served: Served, prompt: str) -> None:
    found = choice(tiny, prompt=prompt, max_tokens=6, logprobs=2, echo=True)
    columns = found["logprobs"]
    whole = [token for name in columns["tokens"] for token in spelled(name)]
    assert bytes(whole).decode(errors="replace") == found["text"]
    assert whole[: len(prompt)] == list(prompt.encode())
    assert columns["token_logprobs"][0] is None
    assert columns["top_logprobs"][0] is None
    assert columns["token_logprobs"][1:] == pytest.approx(scores(served, whole), abs=1e-5)
    for own, top in zip(columns["token_logprobs"][1:], columns["top_logprobs"][1:], strict=True):
        assert list(top.values())[:2] == sorted(top.values(), reverse=True)[:2]
        assert len(top) in (2, 3)
        assert own in top.values()
    assert columns["text_offset"][: len(prompt)] == list(range(len(prompt)))
    assert columns["text_offset"] == sorted(columns["text_offset"])


def spelled(name: str) -> bytes:
    return bytes.fromhex(name[6:].replace("\\x", "")) if name.startswith("bytes:") else name.encode()


def test_no_new_tokens_score_the_prompt_alone(tiny: Running, served: Served) -> None:
    found = asked(tiny, prompt=["abc", [100, 195]], max_tokens=0, logprobs=1, echo=True)
    first, second = found["choices"]
    assert (first["text"], second["text"]) == ("abc", "d\ufffd")
    assert first["finish_reason"] == "length"
    assert first["logprobs"]["token_logprobs"][1:] == pytest.approx(scores(served, list(b"abc")), abs=1e-5)
    assert second["logprobs"]["tokens"] == ["d", "bytes:\\xc3"]
    nothing_kept = {"cached_tokens": 0}
    assert found["usage"] == {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5, "prompt_tokens_details": nothing_kept}
    assert choice(tiny, prompt="abc", max_tokens=0, echo=True)["text"] == "abc"


def test_prompts_of_unlike_length_and_wish_score_as_alone(tiny: Running) -> None:
    prompts = ["a", "the second prompt is longer " * 5, "third"]
    together = asked(tiny, prompt=prompts, max_tokens=3, logprobs=1, echo=True, n=2)["choices"]
    for i, prompt in enumerate(prompts):
        alone = choice(tiny, prompt=prompt, max_tokens=3, logprobs=1, echo=True)
        for answer in together[2 * i : 2 * i + 2]:
            assert answer["logprobs"] == alone["logprobs"]


def test_a_stream_has_the_scores_of_the_whole(tiny: Running) -> None:
    fields = dict(prompt=[[104, 195]], max_tokens=9, logprobs=1, echo=True)
    whole, parts = choice(tiny, **fields), []
    body = {"model": "tiny", "temperature": 0, "stream": True, "stream_options": {"include_usage": True}} | fields
    with httpx.stream("POST", f"{tiny.url}/v1/completions", json=body, timeout=60) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events.pop() == "[DONE]"
    *events, last = map(json.loads, events)
    assert last["usage"]["total_tokens"] == 11
    assert all(event["usage"] is None for event in events)
    parts = [event["choices"][0] for event in events]
    assert "".join(part["text"] for part in parts) == whole["text"]
    for name, column in whole["logprobs"].items():
        assert [value for part in parts if part["logprobs"] for value in part["logprobs"][name]] == column


def test_penalties_and_biases_change_the_answer(tiny: Running) -> None:
    plain = choice(tiny, prompt="hello", max_tokens=20)["text"]
    assert choice(tiny, prompt="hello", max_tokens=5, logit_bias={"122": 100})["text"] == "zzzzz"
    both = dict(prompt="hello", max_tokens=30, logit_bias={"122": 100, "121": 100})
    assert set(choice(tiny, **both, frequency_penalty=2)["text"]) == set("yz")
    for name, value in dict(repetition_penalty=2.0, presence_penalty=2.0).items():
        assert choice(tiny, prompt="hello", max_tokens=20, **{name: value})["text"] != plain
    assert choice(tiny, prompt="hello", max_tokens=20, temperature=1, top_k=1, seed=3)["text"] == plain
    assert choice(tiny, prompt="hello", max_tokens=20, temperature=1, min_p=1, seed=3)["text"] == plain


def test_an_answer_ends_at_a_token_and_not_too_early(tiny: Running) -> None:
    always = dict(prompt="hello", logit_bias={"122": 100})
    ended = choice(tiny, **always, max_tokens=5, stop_token_ids=[122])
    assert (ended["text"], ended["finish_reason"]) == ("", "stop")
    later = choice(tiny, **always, max_tokens=5, stop_token_ids=[122], min_tokens=3)
    assert "z" not in later["text"]
    assert later["finish_reason"] == "stop"


def test_the_end_of_a_text_is_kept_or_ignored(served: Served, start: Any) -> None:
    server = start(other=Served("tiny", served.decoder, served.tokenizer, ends=(122,)))
    fields = dict(prompt="hello", logit_bias={"122": 100}, max_tokens=3)
    assert choice(server, **fields)["finish_reason"] == "stop"
    assert choice(server, **fields, ignore_eos=True)["text"] == "zzz"


def test_seeds_draw_the_same_in_any_company(tiny: Running) -> None:
    fields = dict(prompt="hello", temperature=1, max_tokens=12, seed=7, top_p=0.9, min_p=0.01, presence_penalty=0.5)
    alone = choice(tiny, **fields)["text"]
    together = asked(tiny, **fields | {"prompt": ["hello", "other", "texts"]})["choices"]
    assert together[0]["text"] == alone
