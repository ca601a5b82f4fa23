"""The text of answers with every kind of tokenizer: that of the decoded tokens behind the decoded prompt."""

import json
from typing import Any

import httpx
import pytest
import torch

from dendrix.data.text.detokenization import TokenBytes
from dendrix.generate import Decoder, Sampler, Sampling, draw
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.serve.prepare import Served
from support.servers import Start
from support.tokenizers import MADE


@pytest.mark.parametrize("kind", MADE)
def test_whole_streamed_and_echoed_text_is_the_decoded_text(kind: str, start: Start) -> None:
    tokenizer: Any = MADE[kind]
    torch.manual_seed(0)
    network = SpikeGPT(SpikeGPTConfig(tokenizer.get_vocab_size(), width=16, layers=1, start="rwkv")).eval()
    with torch.no_grad():
        network.head.weight.normal_(0, 3)
    decoder = Decoder(network)
    server, prompt = start(other=Served("tiny", decoder, tokenizer)), tokenizer.encode("hello world we read a").ids
    parts = [i for i in range(network.config.vocab_size) if not TokenBytes(tokenizer)(i).isascii()]  # cut characters: tests of their own
    asked = dict(model="tiny", max_tokens=12, temperature=1, top_k=5, seed=3, logit_bias={str(i): -100 for i in parts})
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for cut in range(1, len(prompt) + 1, 3):
            body = asked | {"prompt": prompt[:cut]}
            text = http.post("/v1/completions", json=body).json()["choices"][0]["text"]
            echoed = http.post("/v1/completions", json=body | {"echo": True, "logprobs": 0}).json()["choices"][0]
            events = http.post("/v1/completions", json=body | {"stream": True}).text
            streamed = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: {")]
            new = drawn(decoder, prompt[:cut], Sampling(1.0, top_k=5, logit_bias=tuple((i, -100.0) for i in parts)))
            shown, whole = (tokenizer.decode(tokens, skip_special_tokens=False) for tokens in (prompt[:cut], prompt[:cut] + new))
            assert echoed["text"] == whole
            assert text == whole[len(shown) :]
            assert "".join(event["choices"][0]["text"] for event in streamed) == text
            assert echoed["logprobs"]["text_offset"][-1] <= len(whole)
            stop = text[3:6]
            stopped = http.post("/v1/completions", json=body | {"stop": stop}).json()["choices"][0]
            assert (stopped["text"], stopped["finish_reason"]) == (text[: text.index(stop)], "stop")


def drawn(decoder: Decoder, prompt: list[int], sampling: Sampling) -> list[int]:
    """The tokens of the answer, from the decoder by itself."""
    sampler = Sampler(sampling, decoder.config.vocab_size, prompt, (), torch.Generator().manual_seed(3))
    logits, state = decoder.prefill(torch.tensor([prompt]))
    tokens = []
    for _ in range(12):
        token = draw(logits, [sampler])
        tokens.append(int(token))
        logits, state = decoder.step(token, state)
    return tokens
