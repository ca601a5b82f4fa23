"""Handlers of POST /tokenize and /detokenize, as in vLLM."""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ..data.text.detokenization import continuation
from ..data.text.tokenizers import encode
from .answers import token_name
from .body import read_body
from .errors import ApiError
from .limits import Limits
from .prepare import Served
from .request import DetokenizeRequest, TokenizeRequest, read_request


@dataclass(frozen=True)
class Tokenization:
    """Handler of requests for the tokens of a text, and the text of tokens."""

    served: Served
    limits: Limits

    def about(self) -> dict[str, Any]:
        """Return the special tokens and the chat template, as lm_eval reads them."""
        layout = self.served.layout
        special = {name: layout.tokens.get(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
        return {"tokenizer_class": "PreTrainedTokenizerFast", **special, "chat_template": layout.template}

    async def tokenize(self, request: Request) -> dict[str, Any]:
        """Return the tokens of a text or of a conversation.

        Args:
            request: HTTP request.
        Raises:
            ApiError: the request is refused.
        """
        asked = read_request(await read_body(request, self.limits), TokenizeRequest)
        self.served.expect_name(asked.model)
        tokens = await asyncio.to_thread(self._tokens, asked)
        found: dict[str, Any] = {"count": len(tokens), "max_model_len": self.limits.prompt_tokens, "tokens": tokens}
        if asked.return_token_strs:
            found["token_strs"] = [token_name(self.served.token_bytes(token)) for token in tokens]
        return found

    async def detokenize(self, request: Request) -> dict[str, str]:
        """Return the text of tokens.

        Args:
            request: HTTP request.
        Raises:
            ApiError: the request is refused.
        """
        asked = read_request(await read_body(request, self.limits), DetokenizeRequest)
        self.served.expect_name(asked.model)
        size = self.served.vocab_size
        if any(not 0 <= token < size for token in asked.tokens):
            raise ApiError(422, f"tokens: expected token ids from 0 to {size - 1}, got others.", "tokens")
        return {"prompt": await asyncio.to_thread(continuation, self.served.tokenizer, (), asked.tokens)}

    def _tokens(self, asked: TokenizeRequest) -> list[int]:
        if asked.messages:
            return self.served.tokens_of(asked.messages)
        tokens: list[int] = encode(self.served.tokenizer, [(asked.prompt or "").encode()], special=asked.add_special_tokens).tolist()
        return tokens
