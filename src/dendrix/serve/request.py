"""Parsing and validation of the bodies of requests for text."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..checks import shown, suggestion
from ..errors import InputError
from .errors import ApiError


def _is_prompt(value: Any) -> bool:
    return bool(value) and (isinstance(value, str) or (isinstance(value, list) and all(type(item) is int for item in value)))


def _prompts(value: Any) -> Any:
    """Wrap a single prompt, a text or a list of token ids, in a list."""
    prompts = [value] if _is_prompt(value) else value
    if isinstance(prompts, list) and prompts and all(map(_is_prompt, prompts)):
        return prompts
    raise InputError("expected a text, a list of texts, a list of token ids or a list of such lists, all of them non-empty")


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _one_text(value: Any) -> Any:
    """Join the parts of a message, which must be texts."""
    if isinstance(value, list) and value and all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        return "".join(str(part.get("text", "")) for part in value)
    if not isinstance(value, str):
        raise InputError("expected a text or a list of parts of type text, because this model reads text only")
    return value


class Strict(BaseModel):
    """Base class that refuses unknown fields and does not convert types; null selects the default."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return {name: value for name, value in fields.items() if value is not None} if isinstance(fields, dict) else fields


def _refused(reason: str) -> BeforeValidator:
    """Validator of a field of OpenAI that this server does not have, except for a value that changes nothing."""

    def refuse(value: Any) -> Any:
        if value not in ([], {}, "", False, 0, "none", 1):
            raise InputError(f"expected none, because {reason}")
        return None

    return BeforeValidator(refuse)


class StreamOptions(Strict):
    """Options of a streamed response."""

    include_usage: bool = False
    """Send the numbers of tokens in a last event."""
    include_obfuscation: bool = False
    """Ignored: this server pads no events."""


class TextRequest(Strict):
    """Fields that requests for completions and for chat answers share, with the names, meanings and defaults of OpenAI, and of vLLM for
    those that only it has."""

    model: str
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=-1, description="0 or -1 samples from all tokens.")
    min_p: float = Field(0.0, ge=0, le=1)
    repetition_penalty: float = Field(1.0, ge=0.01, le=100)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    logit_bias: dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]] = Field({}, max_length=1024)
    n: int = Field(1, ge=1)
    min_tokens: int = Field(0, ge=0)
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], BeforeValidator(_texts), Field(max_length=4)] = []
    stop_token_ids: list[int] = Field([], max_length=64)
    ignore_eos: bool = False
    seed: int | None = Field(None, ge=0, lt=2**63)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    session: str | None = Field(None, max_length=256, description="Id of a session of /v1/sessions that the answer continues.")
    user: str = Field("", description="Ignored, like the five fields that follow.")
    safety_identifier: str = ""
    prompt_cache_key: str = ""
    service_tier: str = ""
    store: bool = False
    metadata: dict[str, str] = {}


class CompletionRequest(TextRequest):
    """Body of POST /v1/completions."""

    prompt: Annotated[list[str | list[int]], BeforeValidator(_prompts)]
    max_tokens: int = Field(16, ge=0)
    echo: bool = False
    logprobs: int | None = Field(None, ge=0, le=5)
    best_of: Annotated[None, _refused("this server ranks no answers; ask for n of them")] = None
    suffix: Annotated[None, _refused("the model continues texts and cannot fill a gap")] = None

    @model_validator(mode="after")
    def _something_to_return(self) -> "CompletionRequest":
        if not self.max_tokens and not self.echo and self.session is None:
            raise InputError("max_tokens: expected at least 1, or 0 with echo or a session")
        if self.session is not None and self.echo:
            raise InputError("echo: expected false with a session, which has the text before")
        return self


class Message(Strict):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_one_text)]
    name: str = ""
    """Passed on to the chat template."""


class ChatRequest(TextRequest):
    """Body of POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1, description="By default as many as the server permits.")
    max_completion_tokens: int | None = Field(None, ge=1, description="Newer name of max_tokens.")
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)
    response_format: dict[str, Any] = {}
    tools: Annotated[None, _refused("the model calls no functions")] = None
    tool_choice: Annotated[None, _refused("the model calls no functions")] = None
    functions: Annotated[None, _refused("the model calls no functions")] = None
    function_call: Annotated[None, _refused("the model calls no functions")] = None

    @field_validator("response_format")
    @classmethod
    def _text_only(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value not in ({}, {"type": "text"}):
            raise InputError("expected the type text, because this server cannot hold a model to a format")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "ChatRequest":
        if self.top_logprobs and not self.logprobs:
            raise InputError("top_logprobs: expected 0, or logprobs true")
        return self


class TokenizeRequest(Strict):
    """Body of POST /tokenize."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Message] = []
    add_special_tokens: bool = True
    return_token_strs: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> "TokenizeRequest":
        if (self.prompt is None) == (not self.messages):
            raise InputError("prompt: expected either a prompt or messages")
        return self


class DetokenizeRequest(Strict):
    """Body of POST /detokenize."""

    model: str | None = None
    tokens: list[int]


Kind = TypeVar("Kind", bound=Strict)


def read_request(body: bytes, kind: type[Kind]) -> Kind:
    """Parse a request.

    Args:
        body: JSON in UTF-8.
        kind: class of the request.
    Raises:
        ApiError: 400 if the body is not JSON in UTF-8; 422 if a field is missing, unknown, of the wrong type or out of range.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        raise ApiError(400, f"body: expected JSON in UTF-8, but {first['ctx']['error']}.", code="invalid_json")
    name = ".".join(str(part)[:60] for part in first["loc"] if part != "[key]")
    problem = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not name and first["type"] == "value_error":  # about several fields; the message begins with the first of them
        name, _, problem = problem.partition(": ")
        raise ApiError(422, f"{name}: {problem}.", param=name)
    name = name or "body"
    if first["type"] == "extra_forbidden":
        hint = suggestion(name, kind.model_fields) if len(first["loc"]) == 1 else ""
        raise ApiError(422, f"{name}: this server has no such field.{hint}", param=name)
    actual = "" if first["type"] == "missing" else f", got {shown(first['input'])}"
    raise ApiError(422, f"{name}: {problem}{actual}.", param=name)


def body_schema(kind: type[Strict]) -> dict[str, Any]:
    """The body of a request in terms of OpenAPI.

    Args:
        kind: class of the request.
    """
    schema = kind.model_json_schema()
    schema = _resolved(schema, schema.pop("$defs", {}))
    one = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}
    if kind is CompletionRequest:
        schema["properties"]["prompt"] = {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _resolved(schema: Any, parts: dict[str, Any]) -> Any:
    """Put the definitions into the places that refer to them."""
    if isinstance(schema, list):
        return [_resolved(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _resolved(value, parts) for name, value in schema.items()}
