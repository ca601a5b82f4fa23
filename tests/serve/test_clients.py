"""Clients of the OpenAI API against the server. Each test runs where its client is installed."""

import asyncio
import os

import pytest

from support.servers import Running

ASKED = dict(max_tokens=8, temperature=0)
TALK = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def expected(tiny: Running) -> tuple[str, str]:
    """What OpenAI's own client gets: a completion and a chat answer."""
    client = tiny.client()
    text = client.completions.create(model="tiny", prompt="Hello", **ASKED).choices[0].text
    return text, client.chat.completions.create(model="tiny", messages=TALK, **ASKED).choices[0].message.content


def test_openai_reads_every_part(tiny: Running, expected: tuple[str, str]) -> None:
    client = tiny.client()
    found = client.completions.create(model="tiny", prompt="Hello", logprobs=3, echo=True, store=None, **ASKED).choices[0]
    assert found.text == "Hello" + expected[0]
    assert len(found.logprobs.tokens) == len(found.logprobs.token_logprobs) == len(found.logprobs.top_logprobs) == 13
    with client.chat.completions.stream(model="tiny", messages=TALK, **ASKED) as stream:
        assert stream.get_final_completion().choices[0].message.content == expected[1]
    chat = client.chat.completions.create(model="tiny", messages=TALK, logprobs=True, top_logprobs=2, **ASKED)
    assert len(chat.choices[0].logprobs.content) == 8
    assert client.models.retrieve("tiny").id == "tiny"


@pytest.mark.extended
def test_langchain(tiny: Running, expected: tuple[str, str]) -> None:
    langchain = pytest.importorskip("langchain_openai", reason="needs langchain-openai")
    options = dict(model="tiny", base_url=f"{tiny.url}/v1", api_key="none", max_retries=0, **ASKED)
    assert langchain.OpenAI(**options).invoke("Hello") == expected[0]
    assert "".join(langchain.OpenAI(**options).stream("Hello")) == expected[0]
    chat = langchain.ChatOpenAI(**options)
    assert chat.invoke([("user", "Hello")]).content == expected[1]
    assert "".join(part.content for part in chat.stream([("user", "Hello")])) == expected[1]
    scored = chat.bind(logprobs=True, top_logprobs=1).invoke([("user", "Hello")])
    assert len(scored.response_metadata["logprobs"]["content"]) == 8
    assert scored.usage_metadata["output_tokens"] == 8


@pytest.mark.extended
@pytest.mark.filterwarnings("ignore")
def test_litellm(tiny: Running, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "LITELLM_LOCAL_MODEL_COST_MAP", "True")  # reads the list of prices that it ships
    litellm = pytest.importorskip("litellm", reason="needs litellm")
    options = dict(api_base=f"{tiny.url}/v1", api_key="none", max_retries=0, **ASKED)
    text = litellm.text_completion(model="text-completion-openai/tiny", prompt="Hello", **options)
    assert text.choices[0].text == expected[0]
    chat = litellm.completion(model="openai/tiny", messages=TALK, **options)
    assert chat.choices[0].message.content == expected[1]
    parts = litellm.completion(model="openai/tiny", messages=TALK, stream=True, **options)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == expected[1]

    async def later() -> str:
        found = await litellm.acompletion(model="openai/tiny", messages=TALK, **options)
        return found.choices[0].message.content

    assert asyncio.run(later()) == expected[1]
