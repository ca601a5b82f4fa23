"""What browsers, load balancers and tokenizing clients ask for."""

from importlib import metadata

import httpx
import pytest

from support.servers import Running, Start

PAGE = {"Origin": "https://page.example"}


def test_tokens_and_back(tiny: Running) -> None:
    with httpx.Client(base_url=tiny.url) as http:
        found = http.post("/tokenize", json={"model": "tiny", "prompt": "hä", "return_token_strs": True}).json()
        assert found == {"count": 3, "max_model_len": 8192, "tokens": [104, 195, 164], "token_strs": ["h", "bytes:\\xc3", "bytes:\\xa4"]}
        assert http.post("/detokenize", json={"tokens": found["tokens"]}).json() == {"prompt": "hä"}
        assert http.post("/tokenize", json={"prompt": ""}).json()["tokens"] == []
        talk = http.post("/tokenize", json={"messages": [{"role": "user", "content": "a"}]}).json()
        assert bytes(talk["tokens"]).decode() == "User: a\nAssistant:"
        assert http.post("/tokenize", json={"model": "other", "prompt": "a"}).status_code == 404
        about = http.get("/tokenizer_info").json()
        assert about["eos_token"] is None
        assert "Assistant:" in about["chat_template"]


def test_health_version_and_descriptions(tiny: Running) -> None:
    with httpx.Client(base_url=tiny.url) as http:
        assert http.get("/health").json() == http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/version").json() == {"version": metadata.version("dendrix")}
        assert http.get("/v1/models/tiny").json() == http.get("/v1/models").json()["data"][0]
        assert "/v1/chat/completions" in http.get("/openapi.json").json()["paths"]
        start, docs = http.get("/"), http.get("/docs")
        assert "<code>tiny</code>" in start.text
        assert "POST /v1/completions" in start.text
        assert "repetition_penalty" in docs.text
        for page in (start, docs):
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "src=" not in page.text


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/openapi.json"])
def test_head_is_get_without_a_body(tiny: Running, path: str) -> None:
    head, get = httpx.head(tiny.url + path), httpx.get(tiny.url + path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert httpx.head(tiny.url + "/v1/completions").status_code == 405


def test_a_guarded_server_says_little_without_its_token(start: Start) -> None:
    server = start(token="a-long-secret")
    assert "tiny" not in httpx.get(server.url).text
    for path in ("/tokenize", "/detokenize", "/v1/chat/completions"):
        assert httpx.post(server.url + path, json={}).status_code == 401
    assert httpx.get(f"{server.url}/tokenizer_info").status_code == 401


def test_pages_of_other_hosts_are_admitted_by_option(start: Start) -> None:
    server = start(token="a-long-secret", origins=("https://page.example",))
    asked = PAGE | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = httpx.options(f"{server.url}/v1/chat/completions", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE["Origin"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    answer = httpx.get(f"{server.url}/v1/models", headers=PAGE | {"Authorization": "Bearer a-long-secret"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE["Origin"])
    refused = httpx.get(f"{server.url}/v1/models", headers=PAGE)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE["Origin"])
    assert httpx.get(f"{server.url}/v1/models", headers={"Origin": "https://other.example"}).status_code == 403
