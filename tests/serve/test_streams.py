"""What clients get: OpenAI's own client against a server on loopback, beside the same model run alone."""

import asyncio
from collections.abc import Sequence

import pytest
import torch
from openai import AsyncOpenAI

from dendrix.generate import Sampling, TextStream, sample
from dendrix.serve.prepare import Served
from support.servers import Running


def alone(served: Served, prompt: str, tokens: int, sampling: Sampling = Sampling(0.0), seed: int = 0, stops: Sequence[str] = ()) -> str:
    """The answer to a prompt of the decoder by itself, one token after the other, without any server."""
    text, generator = TextStream(served.tokenizer, stops), torch.Generator().manual_seed(seed)
    logits, state = served.decoder.prefill(torch.tensor([list(prompt.encode())]))
    answer = ""
    for _ in range(tokens):
        drawn = sample(logits, sampling, generator)
        answer += text.push(int(drawn))
        logits, state = served.decoder.step(drawn, state)
    return answer + text.finish()


def test_an_answer_is_that_of_the_model_alone(tiny: Running, served: Served) -> None:
    answer = tiny.client().completions.create(model="tiny", prompt="How do spikes read?", temperature=0, max_tokens=30)
    assert answer.choices[0].text == alone(served, "How do spikes read?", 30)
    assert (answer.choices[0].finish_reason, answer.object, answer.model) == ("length", "text_completion", "tiny")
    usage = answer.usage.model_dump(exclude_none=True)
    assert usage.pop("prompt_tokens_details") == {"cached_tokens": 0}
    assert usage == {"prompt_tokens": 19, "completion_tokens": 30, "total_tokens": 49}


def test_a_hundred_streams_at_once_lose_nothing(tiny: Running, served: Served) -> None:
    prompts = [f"{i} and {i * i}" * (1 + i % 3) for i in range(100)]
    lengths = [5 + i % 7 for i in range(100)]

    async def stream(client: AsyncOpenAI, prompt: str, length: int) -> tuple[str, list[str | None]]:
        chunks = await client.completions.create(model="tiny", prompt=prompt, temperature=0, max_tokens=length, stream=True)
        choices = [chunk.choices[0] async for chunk in chunks]
        return "".join(choice.text for choice in choices), [choice.finish_reason for choice in choices]

    async def streams() -> list[tuple[str, list[str | None]]]:
        async with AsyncOpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
            return await asyncio.gather(*[stream(client, *pair) for pair in zip(prompts, lengths, strict=True)])

    for prompt, length, (text, reasons) in zip(prompts, lengths, asyncio.run(streams()), strict=True):
        assert text == alone(served, prompt, length)
        assert reasons[-1] == "length"
        assert not any(reasons[:-1])


def test_several_prompts_and_several_answers_to_each(tiny: Running, served: Served) -> None:
    asked = dict(model="tiny", prompt=["one", [116, 119, 111]], n=2, max_tokens=8, seed=5, top_p=0.9)
    answer = tiny.client().completions.create(**asked)
    expected = [alone(served, ["one", "two"][i // 2], 8, Sampling(1.0, top_p=0.9), seed=5 + i) for i in range(4)]
    assert [(choice.index, choice.text) for choice in answer.choices] == list(enumerate(expected))
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (6, 32)
    again = tiny.client().completions.create(**asked, stream=True, stream_options={"include_usage": True})
    texts = [""] * 4
    *chunks, last = again
    for chunk in chunks:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == expected
    assert (last.choices, last.usage.total_tokens) == ([], 38)


def test_without_a_seed_answers_differ(tiny: Running) -> None:
    client = tiny.client()
    texts = {client.completions.create(model="tiny", prompt="a", max_tokens=40).choices[0].text for _ in range(3)}
    assert len(texts) == 3


def test_an_answer_ends_before_a_stop_string(tiny: Running, served: Served) -> None:
    whole = alone(served, "Once upon", 40)
    stop = whole[10:13]
    answer = tiny.client().completions.create(model="tiny", prompt="Once upon", temperature=0, max_tokens=40, stop=["never", stop])
    assert answer.choices[0].text == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_echo_gives_the_prompt_first(tiny: Running, served: Served, stream: bool) -> None:
    asked = dict(model="tiny", prompt=[[104, 195, 164], "me"], echo=True, temperature=0, max_tokens=3)
    texts = ["", ""]
    answer = tiny.client().completions.create(**asked, stream=stream)
    for part in answer if stream else [answer]:
        for choice in part.choices:
            texts[choice.index] += choice.text
    assert texts == [prompt + alone(served, prompt, 3) for prompt in ("hä", "me")]


def test_the_model_is_listed(tiny: Running) -> None:
    assert [model.id for model in tiny.client().models.list()] == ["tiny"]
    assert tiny.client().models.retrieve("tiny").owned_by == "dendrix"
