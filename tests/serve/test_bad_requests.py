"""Bad input gets the right status and a sentence in OpenAI's form, and the server goes on."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from support.servers import Running, Start, running

GOOD = {"model": "tiny", "prompt": "hello", "max_tokens": 2}
WRONG = [
    ({"prompt": None}, 422, "prompt"),
    ({"prompt": ""}, 422, "prompt"),
    ({"prompt": []}, 422, "prompt"),
    ({"prompt": ["a", ""]}, 422, "prompt"),
    ({"prompt": [1, 2.5]}, 422, "prompt"),
    ({"prompt": [256]}, 422, "prompt"),
    ({"prompt": [-1]}, 422, "prompt"),
    ({"prompt": [10**30]}, 422, "prompt"),
    ({"prompt": {"text": "a"}}, 422, "prompt"),
    ({"prompt": "a" * 41}, 413, "prompt"),
    ({"model": "gpt-4"}, 404, "model"),
    ({"model": None}, 422, "model"),
    ({"temperature": -0.5}, 422, "temperature"),
    ({"temperature": "hot"}, 422, "temperature"),
    ({"top_p": 0}, 422, "top_p"),
    ({"max_tokens": 0}, 422, "max_tokens"),
    ({"max_tokens": "5"}, 422, "max_tokens"),
    ({"max_tokens": 51}, 422, "max_tokens"),
    ({"n": 0}, 422, "n"),
    ({"n": 5}, 422, "n"),
    ({"n": True}, 422, "n"),
    ({"stop": [""]}, 422, "stop.0"),
    ({"stop": ["a"] * 17}, 422, "stop"),
    ({"stop": "a" * 257}, 422, "stop.0"),
    ({"seed": -1}, 422, "seed"),
    ({"seed": 2**70}, 422, "seed"),
    ({"stream": "yes"}, 422, "stream"),
    ({"stream_options": {"usage": True}}, 422, "stream_options.usage"),
    ({"presence_penalty": 2.5}, 422, "presence_penalty"),
    ({"best_of": 2}, 422, "best_of"),
    ({"suffix": "end"}, 422, "suffix"),
    ({"logprobs": 6}, 422, "logprobs"),
    ({"logprobs": True}, 422, "logprobs"),
    ({"logit_bias": {"a": 1}}, 422, "logit_bias.a"),
    ({"logit_bias": {"5": 101}}, 422, "logit_bias.5"),
    ({"logit_bias": {"256": 1}}, 422, "logit_bias"),
    ({"logit_bias": [1]}, 422, "logit_bias"),
    ({"stop_token_ids": [256]}, 422, "stop_token_ids"),
    ({"stop_token_ids": [10**4000]}, 422, "stop_token_ids"),
    ({"top_k": -2}, 422, "top_k"),
    ({"min_p": 1.5}, 422, "min_p"),
    ({"repetition_penalty": 0}, 422, "repetition_penalty"),
    ({"min_tokens": 3}, 422, "min_tokens"),
    ({"metadata": {"a": {"b": 1}}}, 422, "metadata.a"),
    ({"temprature": 1}, 422, "temprature"),
]
CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
WRONG_CHAT = [
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "a", "colour": 1}]}, "messages.0.colour"),
    ({"max_completion_tokens": 51}, "max_completion_tokens"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": 2}, "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"prompt": "hello"}, "prompt"),
]
BROKEN = [b"", b"{", b'{"a": 01}', b'{"a": [' * 1000, b"\xff\xfe", b'{"prompt": "\xff"}', b'{"prompt": "\\ud800"}', b"[" * 9000]


@pytest.fixture(scope="module")
def small(served: Served) -> Iterator[Running]:
    with running(served, Limits(prompt_tokens=40, new_tokens=50, running=4, body_bytes=10_000, stall_s=1.0)) as found:
        yield found


@pytest.fixture(scope="module")
def http(small: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=small.url, timeout=60) as client:
        yield client


def refused(answer: httpx.Response, status: int, param: str | None) -> str:
    """The message of an error, whose form is checked."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["param"] == param
    return error["message"]


@pytest.mark.parametrize(("change", "status", "param"), WRONG, ids=[json.dumps(change)[:40] for change, _, _ in WRONG])
def test_a_wrong_field(http: httpx.Client, change: dict[str, Any], status: int, param: str) -> None:
    assert param.split(".")[0] in refused(http.post("/v1/completions", json=GOOD | change), status, param)


@pytest.mark.parametrize("body", BROKEN, ids=[repr(body[:20]) for body in BROKEN])
def test_a_body_that_is_no_json(http: httpx.Client, body: bytes) -> None:
    assert "JSON" in refused(http.post("/v1/completions", content=body), 400, None)


@pytest.mark.parametrize(("change", "param"), WRONG_CHAT, ids=[json.dumps(change)[:40] for change, _ in WRONG_CHAT])
def test_a_wrong_field_of_a_conversation(http: httpx.Client, change: dict[str, Any], param: str) -> None:
    assert param.split(".")[0] in refused(http.post("/v1/chat/completions", json=CHAT | change), 422, param)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize("field", ["temperature", "max_tokens", "logit_bias", "seed"])
def test_numbers_that_are_none_or_huge(http: httpx.Client, field: str, number: str) -> None:
    value = f'{{"5": {number}}}' if field == "logit_bias" else number
    body = f'{{"model": "tiny", "prompt": "hello", "{field}": {value}}}'
    answer = http.post("/v1/completions", content=body)
    assert answer.status_code in (400, 422)
    assert len(refused(answer, answer.status_code, answer.json()["error"]["param"])) < 300


def test_reasons_are_given_in_words(http: httpx.Client) -> None:
    def said(path: str, **change: Any) -> str:
        return http.post(f"/v1/{path}", json=(GOOD if path == "completions" else CHAT) | change).json()["error"]["message"]

    assert said("completions", best_of=2) == "best_of: expected none, because this server ranks no answers; ask for n of them, got 2."
    assert said("completions", temprature=1) == "temprature: this server has no such field. Did you mean 'temperature'?"
    assert "cannot fill a gap" in said("completions", suffix="end")
    assert said("completions", max_tokens=0) == "max_tokens: expected at least 1, or 0 with echo or a session."
    assert "calls no functions" in said("chat/completions", tools=[{}])
    assert "reads text only" in said("chat/completions", messages=[{"role": "user", "content": [{"type": "image_url"}]}])


def test_fields_that_change_nothing_are_accepted(http: httpx.Client) -> None:
    ignored = dict(store=True, metadata={"a": "b"}, service_tier="auto", user="me", safety_identifier="x", prompt_cache_key="y")
    neutral = dict(best_of=1, suffix="", stream_options={"include_obfuscation": False})
    assert http.post("/v1/completions", json=GOOD | ignored | neutral).status_code == 200
    neutral = dict(tools=[], tool_choice="none", response_format={"type": "text"}, top_logprobs=0)
    assert http.post("/v1/chat/completions", json=CHAT | ignored | neutral).status_code == 200


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
@pytest.mark.parametrize(
    "body", [{}, {"tokens": [256]}, {"tokens": "a"}, {"prompt": 3}, {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}]
)
def test_tokenization_of_nothing(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = http.post(path, json=body)
    assert refused(answer, 422, answer.json()["error"]["param"])


def test_json_that_is_no_object(http: httpx.Client) -> None:
    refused(http.post("/v1/completions", json=[]), 422, "body")


def test_null_stands_for_the_default(http: httpx.Client) -> None:
    nulls = dict.fromkeys(
        ["temperature", "n", "stop", "seed", "stream", "echo", "logprobs", "suffix", "best_of", "user", "logit_bias", "metadata"]
    )
    assert http.post("/v1/completions", json=GOOD | nulls).status_code == 200


def test_a_body_that_is_too_large(http: httpx.Client) -> None:
    refused(http.post("/v1/completions", content=b" " * 10_001), 413, None)
    parts = (b" " * 4000 for _ in range(3))  # without its size said before
    refused(http.post("/v1/completions", content=parts), 413, None)


def test_unknown_paths_and_methods(http: httpx.Client) -> None:
    refused(http.get("/v1/chat"), 404, None)
    refused(http.get("/v1/completions"), 405, None)
    refused(http.get("/v1/models/gpt-4"), 404, "model")


def test_a_body_that_never_comes_is_not_waited_for(small: Running) -> None:
    with socket.create_connection(small.address) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_what_is_no_http_is_refused(small: Running) -> None:
    with socket.create_connection(small.address) as connection:
        connection.settimeout(20)
        connection.sendall(b"\x00\xff\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/metrics", "/v1/nothing"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io", "a@localhost", ""]
)
def test_another_host_name_is_refused(http: httpx.Client, path: str, host: str) -> None:
    message = refused(http.get(path, headers={"Host": host}), 400, None)
    assert f"expected localhost or 127.0.0.1 or [::1], got '{host}'" in message
    assert "--allowed-hosts" in message


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_names_of_this_machine_are_admitted(http: httpx.Client, host: str) -> None:
    assert http.get("/v1/models", headers={"Host": host}).status_code == 200


def test_a_host_name_is_admitted_by_option(start: Start) -> None:
    server = start(hosts=("*.example.org",))
    for host, status in {"a.example.org": 200, "example.org": 400, "localhost": 400}.items():
        assert httpx.get(f"{server.url}/v1/models", headers={"Host": host}).status_code == status


def test_web_pages_of_other_hosts_are_refused_and_none_may_read(http: httpx.Client) -> None:
    refused(http.post("/v1/completions", json=GOOD, headers={"Origin": "https://evil.example"}), 403, None)
    refused(http.post("/v1/completions", json=GOOD, headers={"Origin": "null"}), 403, None)
    answer = http.post("/v1/completions", json=GOOD, headers={"Origin": "http://localhost:3000"})
    assert answer.status_code == 200
    preflight = http.options("/v1/completions", headers={"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"})
    assert not [name for found in (answer, preflight) for name in found.headers if name.startswith("access-control")]


def test_the_openai_client_raises_its_own_errors(small: Running) -> None:
    client = small.client()
    with pytest.raises(openai.NotFoundError, match="expected 'tiny', got 'gpt-4'"):
        client.completions.create(model="gpt-4", prompt="hello")
    with pytest.raises(openai.UnprocessableEntityError, match="temperature"):
        client.completions.create(model="tiny", prompt="hello", temperature=-1)


def test_a_token_that_is_wrong_or_missing(start: Start) -> None:
    guarded = start(token="a long secret".replace(" ", "-"))
    for key in ("a-long-secre", "a-long-secret-", "none"):
        with pytest.raises(openai.AuthenticationError, match="Bearer"):
            guarded.client(key).completions.create(model="tiny", prompt="hello", max_tokens=2)
    for header in ({}, {"Authorization": "a-long-secret"}, {"Authorization": "Basic a-long-secret"}, {"Authorization": b"Bearer \xff\xfe"}):
        answer = httpx.post(f"{guarded.url}/v1/completions", json=GOOD, headers=header)
        refused(answer, 401, None)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert httpx.get(f"{guarded.url}/v1/models").status_code == 401
    assert httpx.get(f"{guarded.url}/healthz").status_code == 200
    assert guarded.client("a-long-secret").completions.create(model="tiny", prompt="hello", max_tokens=2).choices


def test_a_server_goes_on_and_counts(start: Start) -> None:
    server = start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for body in (b"{", b"\xff", json.dumps(GOOD | {"n": 0}).encode(), json.dumps(GOOD).encode()):
            client.post("/v1/completions", content=body)
        page = client.get("/metrics").text
    counted = {line.split()[0]: float(line.split()[1]) for line in page.splitlines() if not line.startswith("#")}
    assert {status: counted[f'dendrix_requests_total{{status="{status}"}}'] for status in (200, 400, 422)} == {200: 1, 400: 2, 422: 1}
    assert (counted["dendrix_prompt_tokens_total"], counted["dendrix_new_tokens_total"]) == (5, 2)
    assert counted["dendrix_answers_held"] == 0
    assert server.scheduler.healthy
