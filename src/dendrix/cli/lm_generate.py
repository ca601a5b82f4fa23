"""`dendrix lm generate`: streaming text generation."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..errors import MisuseError
from .errors import standard_input
from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Prompt = Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="PROMPT")]


def generate(
    run: Run,
    prompt: Prompt = None,
    file: Path | None = None,
    max_new_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    frequency_penalty: float = 0.0,
    presence_penalty: float = 0.0,
    stop: tuple[str, ...] = (),
    seed: int | None = None,
    weights: Literal["float32", "bfloat16", "int8"] = "float32",
    load_state: Path | None = None,
    save_state: Path | None = None,
    json: bool = False,
) -> None:
    """Continue a text: `dendrix lm generate RUN "Once upon a time"`. Output is streamed, without the prompt.

    Args:
        run: folder that `dendrix train` wrote for a language model, or the name of a shipped one, novels.
        prompt: text to continue; `-` reads it from standard input.
        file: read the prompt from a file instead, or from a shipped sample, such as harbour.txt.
        max_new_tokens: largest number of tokens to generate.
        temperature: divisor of the logits; 0 always chooses the most likely token.
        top_k: sample from this many of the most likely tokens.
        top_p: sample from the smallest set of most likely tokens whose total probability is at least this.
        min_p: sample from the tokens with at least this part of the probability of the most likely one.
        repetition_penalty: above 1, makes tokens of the prompt and of the new text less likely.
        frequency_penalty: subtracted from the logit of a token for each of its occurrences in the new text.
        presence_penalty: subtracted from the logits of tokens that occur in the new text.
        stop: strings that end the text; they are not printed.
        seed: seed of the sampling; by default a new one each time.
        weights: bfloat16 takes half of the memory and int8 a quarter; both are faster and slightly less exact.
        load_state: continue the conversation in this file.
        save_state: save the conversation in this file, a .safetensors whose size does not depend on its length.
        json: print JSON at the end instead.
    """
    import torch

    from ..core.files import expect_writable
    from ..data.text.tokenizers import encode
    from ..generate import Conversation, Decoder, Sampling
    from ..generate import generate as stream
    from ..models.spikegpt.hf_files import end_tokens, load_language_model, network_of

    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty)
    text = _prompt(prompt, file)
    if not text and load_state is None:
        raise MisuseError("PROMPT: expected some text, got none. Give a prompt, --file or --load-state.")
    if save_state is not None:
        expect_writable(save_state)
    model, tokenizer = load_language_model(run)
    network = network_of(model)
    decoder = Decoder(network, weights)
    before = Conversation(decoder.rest(), ()) if load_state is None else Conversation.load(load_state, network)
    conversation = asked = before.reads(encode(tokenizer, [text]).tolist())
    random = torch.Generator()
    seed = random.seed() if seed is None else random.manual_seed(seed).initial_seed()
    parts, started = [], time.perf_counter()
    options: Any = dict(max_new_tokens=max_new_tokens, stops=stop, ends=end_tokens(model), generator=random)
    for piece, after in stream(decoder, tokenizer, asked, sampling, **options):
        parts.append(piece)
        conversation = after
        if not json:
            sys.stdout.write(piece)
            sys.stdout.flush()
    seconds = time.perf_counter() - started
    if save_state is not None:
        conversation.save(save_state, network)
    if json:
        print_json({"text": "".join(parts), "tokens": len(parts), "seconds": seconds, "seed": seed, "weights": weights})
    else:
        print()


def _prompt(prompt: str | None, file: Path | None) -> bytes:
    """Return the prompt, checked to be UTF-8."""
    from ..data.text.corpora import read_text_file
    from ..data.text.tokenizers import as_text
    from ..samples import sample

    if prompt is not None and file is not None:
        raise MisuseError("PROMPT: expected a prompt or a --file, got both. Leave one out.")
    if prompt == "-":
        text = standard_input().read()
    elif file is not None:
        text = read_text_file(sample(file))
    else:
        text = os.fsencode(prompt or "")  # the bytes as typed, even if they are not UTF-8
    as_text(text)
    return text
