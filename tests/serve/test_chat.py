"""Chat answers: the layout of conversations, and what OpenAI's own client reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from dendrix.serve.chat import ChatLayout, read_layout
from dendrix.serve.errors import ApiError
from dendrix.serve.prepare import Served
from support.servers import Running, Start

TALK: list[Any] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": " Hello\n"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": [{"type": "text", "text": "How are "}, {"type": "text", "text": "you?"}]},
]
PLAIN = "System: Be kind.\nUser: Hello\nAssistant: Hi\nUser: How are you?\nAssistant:"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
)


def test_an_answer_continues_the_plain_layout(tiny: Running) -> None:
    client = tiny.client()
    chat = client.chat.completions.create(model="tiny", messages=TALK, max_tokens=12, temperature=0)
    text = client.completions.create(model="tiny", prompt=PLAIN, max_tokens=12, temperature=0)
    assert chat.choices[0].message.content == text.choices[0].text
    assert (chat.object, chat.choices[0].message.role, chat.choices[0].finish_reason) == ("chat.completion", "assistant", "length")
    assert chat.usage.prompt_tokens == len(PLAIN)


def test_a_stream_is_the_whole_in_parts(tiny: Running) -> None:
    asked = dict(model="tiny", messages=TALK, max_completion_tokens=10, n=2, seed=1, logprobs=True, top_logprobs=2)
    whole = tiny.client().chat.completions.create(**asked)
    texts, scores, roles, usage = ["", ""], [[], []], [[], []], None
    for chunk in tiny.client().chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        assert chunk.object == "chat.completion.chunk"
        usage = chunk.usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            roles[choice.index].append(choice.delta.role)
            scores[choice.index] += choice.logprobs.content if choice.logprobs else []
    assert texts == [choice.message.content for choice in whole.choices]
    assert scores == [choice.logprobs.content for choice in whole.choices]
    assert all(first == "assistant" and not any(others) for first, *others in roles)
    assert usage == whole.usage
    for entry in scores[0]:
        assert len(entry.top_logprobs) == 2
        assert entry.bytes is not None


def test_an_answer_ends_before_the_next_line_of_the_user(start: Start, served: Served) -> None:
    server = start(other=Served("tiny", served.decoder, served.tokenizer, layout=ChatLayout(stops=("zz",))))
    answer = server.client().chat.completions.create(model="tiny", messages=TALK, max_tokens=9, temperature=0, logit_bias={"122": 100})
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("", "stop")
    assert answer.usage.completion_tokens == 2
    assert ChatLayout().stops == ("\nUser:",)


def test_the_template_of_a_model_is_used(start: Start, served: Served) -> None:
    layout = ChatLayout(TEMPLATE, {"bos_token": "^"}, ())
    assert layout.prompt([{"role": "user", "content": "hi"}]) == "^[user]hi[a]"
    server = start(other=Served("tiny", served.decoder, served.tokenizer, layout=layout))
    answer = server.client().chat.completions.create(model="tiny", messages=[{"role": "user", "content": "hi"}], max_tokens=1)
    assert answer.usage.prompt_tokens == len("^[user]hi[a]")


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('Roles must alternate') }}",
        "{{ ().__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_that_refuses_or_breaks_out_is_an_error_of_the_request(template: str) -> None:
    late = "{% if messages | length > 1 %}" + template + "{% endif %}"
    with pytest.raises(ApiError, match="the chat template of the model refuses them") as refused:
        ChatLayout(late).prompt(TALK[:2])
    assert refused.value.status == 422


def test_templates_are_read_from_the_folder(tmp_path: Path) -> None:
    assert read_layout(tmp_path) == ChatLayout()
    config = {"chat_template": "A{{ bos_token }}", "bos_token": {"content": "^"}, "eos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert read_layout(tmp_path) == ChatLayout("A{{ bos_token }}", {"bos_token": "^"}, ())
    (tmp_path / "chat_template.jinja").write_text("B")
    assert read_layout(tmp_path).template == "B"
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": [{"name": "default", "template": "C"}]}))
    assert read_layout(tmp_path).template == "C"
    for wrong in ("{% for %}", 3):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": wrong}))
        with pytest.raises(ValueError, match="chat_template"):
            read_layout(tmp_path)
