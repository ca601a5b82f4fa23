"""`dendrix lm generate`: a language model goes on with a text, shown as it comes."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..errors import MisuseError
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
    stop: tuple[str, ...] = (),
    seed: int | None = None,
    weights: Literal["float32", "bfloat16", "int8"] = "float32",
    load_state: Path | None = None,
    save_state: Path | None = None,
    json: bool = False,
) -> None:
    """Go on with a text: `dendrix lm generate RUN "Once upon a time"`. It is shown as it comes, without the prompt.

    Args:
        run: a folder that `dendrix train` wrote for a language model.
        prompt: the text to go on with; `-` reads it from the standard input.
        file: read the prompt from a file instead.
        max_new_tokens: stop after so many tokens.
        temperature: below 1 the likely becomes likelier, above 1 less so; 0 always takes the most likely token.
        top_k: choose among so many of the most likely tokens.
        top_p: choose among the fewest most likely tokens that have this probability together.
        stop: strings that end the text; they are not shown.
        seed: of the choice; by default another one each time.
        weights: bfloat16 takes half of the memory and int8 a quarter; both are faster, and a little less exact.
        load_state: go on with the conversation in this file.
        save_state: keep the conversation in this file, a .safetensors of one size however long it is.
        json: print JSON, when all is done.
    """
    import torch

    from ..core.files import expect_writable
    from ..data.text.tokenizers import encode
    from ..generate import Conversation, Decoder, Sampling
    from ..generate import generate as go_on
    from ..models.spikegpt.hf_files import load_language_model, network_of

    sampling = Sampling(temperature, top_k, top_p)
    text = _prompt(prompt, file)
    if not text and load_state is None:
        raise MisuseError("PROMPT: expected some text, got none. Write one, name a --file, or go on with a --load-state.")
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
    for piece, after in go_on(decoder, tokenizer, asked, sampling, max_new_tokens=max_new_tokens, stops=stop, generator=random):
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
    """The text to go on with, which is UTF-8."""
    from ..data.text.corpora import read_text_file
    from ..data.text.tokenizers import as_text

    if prompt is not None and file is not None:
        raise MisuseError("PROMPT: expected a prompt or a --file, got both. Leave one out.")
    if prompt == "-":
        text = sys.stdin.buffer.read()
    elif file is not None:
        text = read_text_file(file)
    else:
        text = os.fsencode(prompt or "")  # as it was typed, even if it is no UTF-8
    as_text(text)
    return text
