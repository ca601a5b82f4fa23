"""Sessions over HTTP: turns, forks, the way back, bytes in and out, and requests that are refused."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from dendrix.generate import Conversation, Decoder, Weights
from dendrix.models import SpikeGPT
from dendrix.serve.limits import Limits
from dendrix.serve.prepare import Served
from support.servers import Running, Start, soon


def ask(server: Running, prompt: Any, session: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 12, "temperature": 0, "session": session} | fields
    answer = httpx.post(f"{server.url}/v1/completions", json=body, timeout=60)
    return {"status": answer.status_code} | answer.json()


def call(server: Running, method: str, path: str = "", **options: Any) -> httpx.Response:
    return httpx.request(method, f"{server.url}/v1/sessions{path}", timeout=60, **options)


def begun(server: Running) -> str:
    return str(call(server, "POST").json()["id"])


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["text"])


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_turns_give_what_the_whole_text_gives(network: SpikeGPT, served: Served, start: Start, weights: Weights) -> None:
    own = Served("tiny", Decoder(network, weights), served.tokenizer)
    server = start(other=own)
    session, whole = begun(server), list[int]()
    for turn, prompt in enumerate(("Once upon", " a time there", " was"), 1):
        found = ask(server, prompt, session)
        assert found["session"] == {"id": session, "turn": turn}
        whole += prompt.encode()
        before = len(whole)
        for _ in range(12):
            logits, _ = own.decoder.prefill(torch.tensor([whole]))
            whole.append(int(logits.argmax()))
        assert text(found) == bytes(whole[before:]).decode(errors="replace")
    # The last token of each turn is read with the next one.
    assert found["usage"]["prompt_tokens_details"]["cached_tokens"] == before - len(" was") - 1
    assert found["usage"]["prompt_tokens"] == before
    state = Conversation.from_bytes(call(server, "GET", f"/{session}/export").content, own.decoder.fingerprint)
    assert torch.equal(state.state, own.decoder.prefill(torch.tensor([whole[:-1]]))[1])
    assert (state.next, state.read) == (tuple(whole[-1:]), len(whole) - 1)


def test_forks_and_ways_back(tiny: Running) -> None:
    session = begun(tiny)
    first, second = ask(tiny, "Once upon", session), ask(tiny, " a time", session)
    fork = call(tiny, "POST", f"/{session}/fork?turn=1").json()
    assert (fork["turn"], fork["parent"], len(fork["turns"])) == (1, session, 2)
    assert text(ask(tiny, " a time", fork["id"])) == text(second)
    whole = call(tiny, "POST", f"/{session}/fork").json()
    assert [turn["turn"] for turn in whole["turns"]] == [0, 1, 2]
    assert call(tiny, "POST", f"/{session}/rollback").json()["turn"] == 1
    again = ask(tiny, " a time", session)
    assert (text(again), again["session"]["turn"]) == (text(second), 2)
    assert call(tiny, "POST", f"/{session}/rollback?turn=0").json()["tokens"] == 0
    assert text(ask(tiny, "Once upon", session)) == text(first)
    found = {each["id"]: each["turn"] for each in call(tiny, "GET").json()["data"]}
    assert (found[session], found[fork["id"]], found[whole["id"]]) == (1, 2, 2)
    assert call(tiny, "DELETE", f"/{session}").json() == {"id": session, "object": "session.deleted", "deleted": True}
    assert call(tiny, "GET", f"/{session}").status_code == 404
    assert call(tiny, "GET", f"/{fork['id']}").status_code == 200


def test_a_stream_is_a_turn_when_it_is_complete(tiny: Running) -> None:
    session, client = begun(tiny), tiny.client()
    asked: dict[str, Any] = dict(model="tiny", prompt="Once", temperature=0, stream=True, extra_body={"session": session})
    parts = list(client.completions.create(max_tokens=9, **asked))
    assert parts[-1].model_extra == {"session": {"id": session, "turn": 1}}
    stream = client.completions.create(max_tokens=2000, **asked)
    next(iter(stream))
    assert ask(tiny, "!", session)["status"] == 409  # the other turn has not ended
    assert call(tiny, "POST", f"/{session}/rollback").status_code == 409
    stream.close()
    assert soon(lambda: call(tiny, "POST", f"/{session}/rollback?turn=1").status_code == 200)  # left alone, the turn has changed nothing
    assert ask(tiny, "!", session)["session"]["turn"] == 2


def test_a_stop_string_is_not_part_of_the_session(tiny: Running, served: Served) -> None:
    letters = {"logit_bias": {str(token): -100 for token in (*range(32), *range(127, 256))}, "frequency_penalty": 2}
    whole = text(ask(tiny, "Once upon", max_tokens=40, **letters))
    stop = next(whole[i : i + 3] for i in range(8, 37) if whole.index(whole[i : i + 3]) == i)
    session = begun(tiny)
    found = ask(tiny, "Once upon", session, max_tokens=40, stop=stop, **letters)
    assert (text(found), found["choices"][0]["finish_reason"]) == (whole[: whole.index(stop)], "stop")
    after = Conversation.from_bytes(call(tiny, "GET", f"/{session}/export").content, served.decoder.fingerprint)
    tokens = [*b"Once upon", *text(found).encode()]
    assert torch.equal(after.state, served.decoder.prefill(torch.tensor([tokens[: after.read]]))[1])
    assert after.next == tuple(tokens[after.read :])
    assert len(after.next) == 0  # nothing is read again


def test_a_chat_has_only_its_new_messages_in_a_turn(tiny: Running) -> None:
    client, session = tiny.client(), begun(tiny)
    messages: list[Any] = []
    for said in ("Hello", "Why?"):
        new = {"role": "user", "content": said}
        messages.append(new)
        whole, turn = (
            client.chat.completions.create(model="tiny", messages=each, temperature=0, max_tokens=9, stop=["\n"], extra_body=extra)
            for each, extra in ((messages, {}), ([new], {"session": session}))
        )
        assert turn.choices[0].message.content == whole.choices[0].message.content
        messages.append({"role": "assistant", "content": whole.choices[0].message.content})


def test_bytes_go_out_and_in(tiny: Running, network: SpikeGPT, served: Served, start: Start) -> None:
    session = begun(tiny)
    ask(tiny, "Once upon", session)
    content = call(tiny, "GET", f"/{session}/export").content
    other = start(other=Served("tiny", Decoder(network), served.tokenizer))
    found = call(other, "POST", "/import", content=content)
    assert (found.status_code, found.json()["tokens"]) == (201, 21)
    assert text(ask(other, " a time", found.json()["id"])) == text(ask(tiny, " a time", session))


def test_a_document_is_read_once_for_several_questions(tiny: Running) -> None:
    session = begun(tiny)
    found = ask(tiny, "It was a bright day. ", session, max_tokens=0)
    assert (text(found), found["session"]["turn"], found["usage"]["completion_tokens"]) == ("", 1, 0)
    for question in ("Who?", "Why?"):
        fork = call(tiny, "POST", f"/{session}/fork").json()["id"]
        assert text(ask(tiny, question, fork)) == text(ask(tiny, "It was a bright day. " + question))


def test_a_file_of_the_library_is_imported(tiny: Running, network: SpikeGPT, served: Served, tmp_path: Path) -> None:
    conversation = Conversation(served.decoder.prefill(torch.tensor([list(b"Once upon")]))[1], tuple(b" a"), 9)
    conversation.save(tmp_path / "c.safetensors", network)
    found = call(tiny, "POST", "/import", content=(tmp_path / "c.safetensors").read_bytes()).json()
    assert found["tokens"] == 11
    assert text(ask(tiny, " time", found["id"])) == text(ask(tiny, "Once upon a time"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: b"", "cannot be read"),
        (lambda content: content[:-1], "cannot be read"),
        (lambda content: b"\x80\x04K\x01.", "cannot be read"),
        (lambda content: (1 << 40).to_bytes(8, "little") + content[8:], "cannot be read"),
        (lambda content: content.replace(b'"model":"', b'"model":"0'), "cannot be read"),
        (lambda content: content.replace(b"dendrix-conversation-1", b"dendrix-conversation-9"), "got another file"),
        (lambda content: content.replace(b'"read":"', b'"raed":"').replace(b"F32", b"I32"), "finite float32"),
        (lambda content: content[:-4].replace(b'"crc32":', b'"crc23":') + b"\x00\x00\xc0\x7f", "finite float32"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "damaged"),
    ],
)
def test_damaged_bytes_are_refused(tiny: Running, change: Any, says: str) -> None:
    content = call(tiny, "GET", f"/{begun(tiny)}/export").content
    answer = call(tiny, "POST", "/import", content=change(content))
    assert answer.status_code == 422
    assert says in answer.json()["error"]["message"]


def test_states_of_other_models_are_refused(tiny: Running, served: Served) -> None:
    rest, size = served.decoder.rest(), served.decoder.packed.state_size
    for conversation, model, says in (
        (Conversation(rest, ()), "0" * 64, "got one with another"),
        (Conversation(torch.zeros(1, size + 1), ()), served.decoder.fingerprint, f"a state of {size}"),
        (Conversation(torch.zeros(2, size), ()), served.decoder.fingerprint, f"a state of {size}"),
        (Conversation(rest, (256,)), served.decoder.fingerprint, "tokens from 0 to 255"),
        (Conversation(rest, (-1,)), served.decoder.fingerprint, "tokens from 0 to 255"),
    ):
        answer = call(tiny, "POST", "/import", content=conversation.to_bytes(model))
        assert answer.status_code == 422
        assert says in answer.json()["error"]["message"]
    assert call(tiny, "POST", "/import", content=b"x" * 1_000_000).status_code == 413


def test_a_session_belongs_to_one_key(start: Start) -> None:
    server = start(token=["first-token", "second-token"])
    mine, other = ({"Authorization": f"Bearer {token}-token"} for token in ("first", "second"))
    session = call(server, "POST", headers=mine).json()["id"]
    assert [each["id"] for each in call(server, "GET", headers=mine).json()["data"]] == [session]
    assert call(server, "GET", headers=other).json()["data"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/fork"), ("POST", "/rollback?turn=0"), ("GET", "/export")):
        answer = call(server, method, f"/{session}{path}", headers=other)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "session_not_found")
    body = {"model": "tiny", "prompt": "a", "session": session}
    assert httpx.post(f"{server.url}/v1/completions", json=body, headers=other).status_code == 404
    assert httpx.post(f"{server.url}/v1/completions", json=body, headers=mine).status_code == 200
    assert call(server, "GET").status_code == 401


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"session": "sess_" + "A" * 32}, 404, "session"),
        ({"session": ""}, 404, "session"),
        ({"session": "../../etc"}, 404, "session"),
        ({"session": 7}, 422, "session"),
        ({"session": "a" * 300}, 422, "session"),
        ({"n": 2}, 422, "session"),
        ({"prompt": ["a", "b"]}, 422, "session"),
        ({"echo": True}, 422, "echo"),
        ({"prompt": ""}, 422, "prompt"),
    ],
)
def test_turns_that_are_refused(tiny: Running, fields: dict[str, Any], status: int, param: str) -> None:
    session = begun(tiny)
    answer = ask(tiny, **{"prompt": "a", "session": session} | fields)
    assert (answer["status"], answer["error"]["param"]) == (status, param)
    assert answer["error"]["message"].startswith(f"{param}: ")
    assert call(tiny, "GET", f"/{session}").json()["turn"] == 0
    assert ask(tiny, "a", session)["status"] == 200


@pytest.mark.parametrize(("turn", "status"), [("3", 422), ("-1", 422), ("one", 422), ("1.5", 422), (str(2**70), 422), ("0", 200)])
def test_turns_that_do_not_exist(tiny: Running, turn: str, status: int) -> None:
    session = begun(tiny)
    answer = call(tiny, "GET", f"/{session}/export?turn={turn}")
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["error"]["message"].startswith("turn: ")


def test_too_many_sessions_and_too_large_ones(start: Start, served: Served) -> None:
    size = len(Conversation(served.decoder.rest(), ()).to_bytes(served.decoder.fingerprint))
    few = start(Limits(sessions=2))
    sessions = [begun(few), begun(few)]
    answer = call(few, "POST")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_sessions")
    call(few, "DELETE", f"/{sessions[0]}")
    assert call(few, "POST").status_code == 201
    small = start(Limits(session_bytes=3 * size - 1))
    session = begun(small)
    assert ask(small, "a", session)["status"] == 200
    full = ask(small, "b", session)
    assert (full["status"], full["error"]["code"]) == (429, "store_full")
    assert call(small, "GET", f"/{session}").json()["turn"] == 1
    call(small, "POST", f"/{session}/rollback?turn=0")
    assert ask(small, "b", session)["status"] == 200


def test_the_last_turns_are_kept(start: Start) -> None:
    server = start(Limits(turns=2))
    session = begun(server)
    for prompt in "abc":
        ask(server, prompt, session)
    assert [turn["turn"] for turn in call(server, "GET", f"/{session}").json()["turns"]] == [2, 3]
    answer = call(server, "POST", f"/{session}/rollback?turn=1")
    assert answer.json()["error"]["message"] == "turn: expected 2 to 3, got 1."
    assert call(server, "POST", f"/{session}/rollback").json()["turn"] == 2
    assert call(server, "POST", f"/{session}/rollback").status_code == 422


def test_a_server_without_sessions(start: Start) -> None:
    server = start(Limits(sessions=0))
    for answer in (call(server, "POST"), call(server, "GET"), call(server, "GET", "/sess_x")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_sessions")
    assert ask(server, "a", "sess_x")["status"] == 400
    assert ask(server, "a")["status"] == 200
