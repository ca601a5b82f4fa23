"""Clients of the OpenAI API against the server of a shipped model. Each test runs where its client is installed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from dendrix.generate import Decoder
from dendrix.models.spikegpt.hf_files import load_language_model, network_of
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from support.servers import Running, running

ASKED = dict(max_tokens=8, temperature=0)
TALK = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def novels() -> Iterator[Running]:
    model, tokenizer = load_language_model("novels")
    with running(Served("novels", Decoder(network_of(model)), tokenizer), Limits()) as found:
        yield found


@pytest.fixture(scope="module")
def expected(novels: Running) -> tuple[str, str]:
    """What OpenAI's own client gets: a completion and a chat answer."""
    client = novels.client()
    text = client.completions.create(model="novels", prompt="Hello", **ASKED).choices[0].text
    return text, client.chat.completions.create(model="novels", messages=TALK, **ASKED).choices[0].message.content


def test_openai_reads_every_part(novels: Running, expected: tuple[str, str]) -> None:
    client = novels.client()
    found = client.completions.create(model="novels", prompt="Hello", logprobs=3, echo=True, **ASKED).choices[0]
    assert found.text == "Hello" + expected[0]
    assert len(found.logprobs.tokens) == len(found.logprobs.token_logprobs) == len(found.logprobs.top_logprobs) == 13
    stop = expected[1][-2:]
    with client.chat.completions.stream(model="novels", messages=TALK, stop=stop, **ASKED) as stream:  # raises at an end by length
        assert stream.get_final_completion().choices[0].message.content == expected[1][: expected[1].index(stop)]
    chat = client.chat.completions.create(
        model="novels", messages=TALK, logprobs=True, top_logprobs=2, store=True, metadata={"a": "b"}, **ASKED
    )
    assert len(chat.choices[0].logprobs.content) == 8
    assert client.models.retrieve("novels").id == "novels"


@pytest.mark.extended
def test_langchain(novels: Running, expected: tuple[str, str]) -> None:
    langchain = pytest.importorskip("langchain_openai", reason="needs langchain-openai")
    options = dict(model="novels", base_url=f"{novels.url}/v1", api_key="none", max_retries=0, **ASKED)
    assert langchain.OpenAI(**options).invoke("Hello") == expected[0]
    assert "".join(langchain.OpenAI(**options).stream("Hello")) == expected[0]
    chat = langchain.ChatOpenAI(**options)
    assert chat.invoke([("user", "Hello")]).content == expected[1]
    assert "".join(part.content for part in chat.stream([("user", "Hello")])) == expected[1]
    scored = chat.bind(logprobs=True, top_logprobs=1).invoke([("user", "Hello")])
    assert len(scored.response_metadata["logprobs"]["content"]) == 8
    assert scored.usage_metadata["output_tokens"] == 8


LITELLM = """
import asyncio, json, sys, litellm

url, options = sys.argv[1], dict(api_key="none", max_retries=0, max_tokens=8, temperature=0)
options["api_base"], talk = url, [{"role": "user", "content": "Hello"}]
chat = dict(model="openai/novels", messages=talk, **options)
found = [
    litellm.text_completion(model="text-completion-openai/novels", prompt="Hello", **options).choices[0].text,
    litellm.completion(**chat).choices[0].message.content,
    "".join(part.choices[0].delta.content or "" for part in litellm.completion(stream=True, **chat)),
    asyncio.run(litellm.acompletion(**chat)).choices[0].message.content,
]
print(json.dumps(found))
"""
"""In a process of its own: litellm leaves an event loop open."""


@pytest.mark.extended
@pytest.mark.skipif(find_spec("litellm") is None, reason="needs litellm")
def test_litellm(novels: Running, expected: tuple[str, str]) -> None:
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # reads the list of prices that it ships
    command = [sys.executable, "-c", LITELLM, f"{novels.url}/v1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    text, chat = expected
    assert json.loads(done.stdout.splitlines()[-1]) == [text, chat, chat, chat]
