"""Layout of conversations: the chat template of a model, or a plain one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from ..core.files import read_bytes, read_json
from ..errors import InputError
from .errors import ApiError

_PLAIN = """\
{%- for message in messages %}
{{- {"user": "User", "assistant": "Assistant"}.get(message.role, "System") + ": " + message.content | trim + "\\n" }}
{%- endfor %}
{{- "Assistant:" }}"""

_ANSWER = "an-answer-that-stands-for-others"
"""Text by which the end of an answer is found in a rendered conversation."""


@dataclass(frozen=True)
class ChatLayout:
    """Layout that turns messages into a prompt. Without a template, every message is a line such as `User: Hello`, the prompt ends with
    `Assistant:`, and the answer ends before the next line of the user.

    Raises:
        InputError: the template has an error.
    """

    template: str = _PLAIN
    """Jinja template with the variables of transformers, which runs it in a sandbox."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Special tokens of the tokenizer, such as `bos_token`, which are variables of the template."""
    stops: tuple[str, ...] = ("\nUser:",)
    """Strings that end an answer."""

    def __post_init__(self) -> None:
        try:
            self._rendered([{"role": "user", "content": "Hello"}])
        except TemplateError as error:
            raise InputError(f"chat_template: expected a template of Jinja, got one with an error ({error}). Repair it.") from error

    def prompt(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the prompt of a conversation.

        Args:
            messages: messages with `role` and `content`.
        Raises:
            ApiError: 422 if the template refuses the messages.
        """
        try:
            return self._rendered(messages)
        except Exception as error:  # templates may raise anything
            reason = " ".join(str(error).split())[:200]
            raise ApiError(422, f"messages: the chat template of the model refuses them: {reason}", "messages") from error

    def following(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the prompt of messages that follow an answer, from the end of its text on.

        Args:
            messages: new messages with `role` and `content`.
        Raises:
            ApiError: 422 if the template refuses the messages, or changes answers.
        """
        whole = self.prompt([{"role": "user", "content": _ANSWER}, {"role": "assistant", "content": _ANSWER}, *messages])
        _, _, after = whole.partition(_ANSWER)[2].partition(_ANSWER)
        if not after:
            raise ApiError(422, "messages: the chat template of the model permits no session, because it changes answers.", "messages")
        return after

    def _rendered(self, messages: Sequence[dict[str, str]]) -> str:
        found: Any = render_jinja_template([list(messages)], chat_template=self.template, add_generation_prompt=True, **self.tokens)
        prompts = found[0] if isinstance(found, tuple) else found
        return str(prompts[0])


def read_layout(folder: Path) -> ChatLayout:
    """Read the chat template of a folder of transformers; a plain layout if it has none.

    Args:
        folder: folder of a language model.
    Raises:
        InputError: a file is damaged, or the template has an error.
    """
    file, own = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    config = read_json(file) if file.is_file() else {}
    tokens = {name: config[name] for name in ("bos_token", "eos_token", "pad_token", "unk_token") if config.get(name)}
    special = {name: value["content"] if isinstance(value, dict) else str(value) for name, value in tokens.items()}
    template = read_bytes(own).decode() if own.is_file() else config.get("chat_template")
    if isinstance(template, list):  # several with names, as older versions of transformers wrote them
        template = {each.get("name"): each.get("template") for each in template}.get("default")
    if template is None:
        return ChatLayout(tokens=special)
    if not isinstance(template, str):
        raise InputError(f"{file}: expected a chat_template, got {json.dumps(template)[:80]}. Repair the file.")
    return ChatLayout(template, special, ())
