"""The server against requests that schemathesis makes of its own description: no answer is a failure of the server."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from dendrix.serve.limits import Limits
from support.servers import Running, Start

BODIES = tuple((path, "POST") for path in ("/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"))
READS = tuple((path, "GET") for path in ("/v1/models", "/v1/models/{name}", "/tokenizer_info", "/health", "/version", "/metrics"))
SESSIONS = (
    *(("/v1/sessions", method) for method in ("GET", "POST")),
    *(("/v1/sessions/{id}", method) for method in ("GET", "DELETE")),
    *((f"/v1/sessions/{path}", "POST") for path in ("import", "{id}/fork", "{id}/rollback")),
    ("/v1/sessions/{id}/export", "GET"),
)
OPERATIONS = (*BODIES, *READS, *SESSIONS)


def test_every_operation_is_described(tiny: Running) -> None:
    paths = tiny.app.openapi()["paths"]
    assert {(path, method.upper()) for path, methods in paths.items() for method in methods} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        *((*operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
        *((*operation, GenerationMode.NEGATIVE) for operation in BODIES),
    ],
)
def test_no_request_is_a_failure_of_the_server(start: Start, path: str, method: str, mode: GenerationMode) -> None:
    running = start(Limits(new_tokens=8))
    operation = schemathesis.openapi.from_dict(running.app.openapi())[path][method]
    codes = set()

    @seed(0)
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: schemathesis.Case, known: bool) -> None:
        if known and isinstance(case.body, dict) and isinstance(case.body.get("model"), str):  # another type may be what is wrong
            case.body["model"] = "tiny"
        answer = case.call(base_url=running.url, timeout=20)
        codes.add(answer.status_code)
        case.validate_response(answer, checks=[schemathesis.checks.not_a_server_error])
        if answer.status_code >= 400 and "application/json" in str(answer.headers.get("content-type")):
            assert set(json.loads(answer.content)) == {"error"}

    ask()
    assert codes
    assert not (mode is GenerationMode.NEGATIVE and 200 in codes)
