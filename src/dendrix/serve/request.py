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

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return {name: value for name, value in fields.items() if value is not None} if isinstance(fields, dict) else fields


def _refused(reason: str, neutral: Any) -> BeforeValidator:
    """Validator of a field of OpenAI that this server does not have, except for a value that changes nothing."""

    def refuse(value: Any) -> Any:
        if value != neutral or type(value) is not type(neutral):
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
    """Name of the model."""
    temperature: float = Field(1.0, ge=0, le=2)
    """Divisor of the logits; 0 selects the most likely token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the most likely tokens with this total probability."""
    top_k: int = Field(0, ge=-1)
    """Number of most likely tokens to sample from; 0 or -1 samples from all."""
    min_p: float = Field(0.0, ge=0, le=1)
    """Sample from tokens with this part of the largest probability."""
    repetition_penalty: float = Field(1.0, ge=0.01, le=100)
    """Divisor of the logits of tokens in the prompt and the answer."""
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    """Subtracted from the logit of a token for each occurrence in the answer."""
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    """Subtracted from the logits of tokens in the answer."""
    logit_bias: dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]] = Field({}, max_length=1024)
    """Numbers from -100 to 100 that are added to the logits of tokens, by token id."""
    n: int = Field(1, ge=1)
    """Number of answers to each prompt."""
    min_tokens: int = Field(0, ge=0)
    """Number of tokens before which no token ends the answer."""
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], BeforeValidator(_texts), Field(max_length=16)] = []
    """Strings that end the answer; one, or up to 16."""
    stop_token_ids: list[int] = Field([], max_length=64)
    """Tokens that end the answer."""
    ignore_eos: bool = False
    """Do not end at the end of a document."""
    seed: int | None = Field(None, ge=0, lt=2**63)
    """Answer i draws its random numbers with this number plus i."""
    stream: bool = False
    """Send the answer as server-sent events while it is generated."""
    stream_options: StreamOptions = StreamOptions()
    session: str | None = Field(None, max_length=256)
    """Id of a session that the answer continues."""
    user: str = ""
    """Ignored, like `safety_identifier`, `prompt_cache_key`, `service_tier`, `store` and `metadata`."""
    safety_identifier: str = ""
    prompt_cache_key: str = ""
    service_tier: str = ""
    store: bool = False
    metadata: dict[str, str] = {}


class CompletionRequest(TextRequest):
    """Body of POST /v1/completions."""

    prompt: Annotated[list[str | list[int]], BeforeValidator(_prompts)]
    """A text, a list of texts, token ids or a list of lists of them."""
    max_tokens: int = Field(16, ge=0)
    """Largest number of new tokens; 0 only with `echo` or `session`, which then reads the prompt."""
    echo: bool = False
    """Put the prompt before the answer."""
    logprobs: int | None = Field(None, ge=0, le=5)
    """Number of most likely tokens whose log-probabilities are returned beside that of each token."""
    best_of: Annotated[None, _refused("this server ranks no answers; ask for n of them", 1)] = None
    """Not supported, like `suffix`."""
    suffix: Annotated[None, _refused("the model continues texts and cannot fill a gap", "")] = None

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
    """The conversation."""
    max_tokens: int | None = Field(None, ge=1)
    """Largest number of new tokens, by default as many as the server permits."""
    max_completion_tokens: int | None = Field(None, ge=1)
    """Newer name of `max_tokens`."""
    logprobs: bool = False
    """Return the log-probability of each token."""
    top_logprobs: int = Field(0, ge=0, le=20)
    """Number of most likely tokens beside it."""
    response_format: dict[str, Any] = {}
    """Only the type text."""
    tools: Annotated[None, _refused("the model calls no functions", [])] = None
    """Not supported, like `tool_choice`, `functions` and `function_call`."""
    tool_choice: Annotated[None, _refused("the model calls no functions", "none")] = None
    functions: Annotated[None, _refused("the model calls no functions", [])] = None
    function_call: Annotated[None, _refused("the model calls no functions", "none")] = None

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
        schema["properties"]["prompt"] |= {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}
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
