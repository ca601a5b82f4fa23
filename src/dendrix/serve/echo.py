"""Repetition of the prompt at the beginning of its answers."""

from typing import Any

from ..data.text.detokenization import decoding
from .job import Piece, Placed, Prompt


class Echo:
    """The text of a prompt, and the log-probabilities of its tokens if they were requested.

    A prompt of tokens is decoded together with its answer: a character that it begins and the answer completes stands in the answer.

    Args:
        prompt: the prompt, which the model has read when `before` is called.
        given: the prompt as in the request, text or tokens.
        tokenizer: tokenizer of the tokenizers library.
    """

    def __init__(self, prompt: Prompt, given: str | list[int], tokenizer: Any):
        stream, text = decoding(tokenizer), ""
        self._prompt, self._offsets = prompt, list[int]()
        for token in prompt.tokens:
            self._offsets.append(len(text))
            text += stream.push(token)
        if not any(answer.most for answer in prompt.answers):
            text += stream.finish()
        self.text = given if isinstance(given, str) and prompt.top is None else text

    def before(self, piece: Piece) -> Piece:
        """Put the prompt before the first piece of an answer.

        Args:
            piece: first piece of an answer to the prompt.
        """
        own = tuple(map(Placed, self._prompt.scores, self._offsets))
        return piece._replace(text=self.text + piece.text, scores=own + piece.scores)

    def moved(self, piece: Piece) -> Piece:
        """Count the places of tokens from the beginning of the prompt.

        Args:
            piece: any piece of an answer to the prompt.
        """
        return piece._replace(scores=tuple(score._replace(offset=score.offset + len(self.text)) for score in piece.scores))
