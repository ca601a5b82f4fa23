"""Special tokens: those of a tokenizer, and none that text could contain."""

import pytest

pytest.importorskip("tokenizers")

from tokenizers.processors import TemplateProcessing

from dendrix.data.text.tokenizers import byte_tokenizer, character_tokenizer, encode, special_tokens


def test_special_tokens_are_added_or_left_out() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 256)])
    assert encode(tokenizer, [b"hi"]).tolist() == [256, 104, 105]
    assert encode(tokenizer, [b"hi"], special=False).tolist() == [104, 105]


def test_a_long_text_begins_and_ends_once() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)])
    text = b"\n".join([b"abc def"] * 9_000)
    assert encode(tokenizer, [text, b"hi"]).tolist() == [256, *text, 257, 256, *b"hi", 257]


def test_only_special_tokens_are_named() -> None:
    tokenizer = byte_tokenizer()
    assert special_tokens(tokenizer) == special_tokens(character_tokenizer("<s>")) == {}
    tokenizer.add_special_tokens(["<|endoftext|>", "<pad>"])
    assert special_tokens(tokenizer) == {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<pad>"}
