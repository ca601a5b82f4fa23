"""Parsing and validation of the body of POST /v1/completions."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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


class _Strict(BaseModel):
    """Base class that refuses unknown fields and does not convert types; null selects the default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return {name: value for name, value in fields.items() if value is not None} if isinstance(fields, dict) else fields


class StreamOptions(_Strict):
    """Options of a streamed response."""

    include_usage: bool = False
    """Send the numbers of tokens in a last event."""


class CompletionRequest(_Strict):
    """Body of a request with the names, meanings and defaults of OpenAI. Unsupported fields are accepted only with their neutral value."""

    model: str
    prompt: Annotated[list[str | list[int]], BeforeValidator(_prompts)]
    max_tokens: int = Field(16, ge=1)
    temperature: float = Field(1.0, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1, allow_inf_nan=False)
    n: int = Field(1, ge=1)
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], BeforeValidator(_texts), Field(max_length=4)] = []
    seed: int | None = Field(None, ge=0, lt=2**63)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    echo: bool = False
    session: str | None = Field(None, max_length=256)
    user: str = ""
    best_of: int = Field(1, ge=1, le=1)
    frequency_penalty: float = Field(0.0, ge=0, le=0)
    presence_penalty: float = Field(0.0, ge=0, le=0)
    logit_bias: dict[str, float] = Field({}, max_length=0)
    suffix: str = Field("", max_length=0)


def read_request(body: bytes) -> CompletionRequest:
    """Parse a request.

    Args:
        body: JSON in UTF-8.
    Raises:
        ApiError: 400 if the body is not JSON in UTF-8; 422 if a field is missing, unknown, of the wrong type or out of range.
    """
    try:
        return CompletionRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        raise ApiError(400, f"body: expected JSON in UTF-8, but {first['ctx']['error']}.", code="invalid_json")
    name = ".".join(map(str, first["loc"])) or "body"
    problem = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "extra_forbidden":
        problem = "this server has no such field"
    actual = "" if first["type"] == "missing" else f", got {_shortened(first['input'])}"
    raise ApiError(422, f"{name}: {problem}{actual}.", param=name)


def request_schema() -> dict[str, Any]:
    """The body of a request in terms of OpenAPI."""
    schema = CompletionRequest.model_json_schema()
    parts = schema.pop("$defs")
    schema["properties"]["stream_options"] = parts["StreamOptions"]
    one = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}
    schema["properties"]["prompt"] = {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
