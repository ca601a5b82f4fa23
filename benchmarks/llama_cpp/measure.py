"""SpikeGPT beside GPT-2 of the same size in llama.cpp, one text on one core: writes benchmarks/llama-cpp.json.

    python benchmarks/llama_cpp/measure.py LLAMA_BENCH --version VERSION --out benchmarks/llama-cpp.json

LLAMA_BENCH is the program `llama-bench` of a build of llama.cpp, and VERSION its name in the record. The package `gguf` writes its network.
Both networks have 46 million parameters and are untrained: a step takes as long with any weights, apart from the active inputs of SpikeGPT,
of which there are 11 %. The programs take turns, and the median over the rounds counts.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from dendrix.bench.decode import SIZES, firing, firing_rate
from dendrix.bench.machine import describe
from dendrix.core.files import write_json
from dendrix.generate import Decoder
from dendrix.generate.packing import pack_network
from dendrix.models import SpikeGPT

KINDS = {"int8": gguf.GGMLQuantizationType.Q8_0, "float32": gguf.GGMLQuantizationType.F32}
DEPTHS, TOKENS, ROUNDS, ACTIVE = (128, 1024, 8192), 128, 5, 0.11
LAYERS, WIDTH, HEADS, POSITIONS = 12, 544, 17, 8448
"""Of GPT-2: the width whose number of parameters is nearest, without the embedding of positions, in whole blocks of Q8_0."""


def write_gpt2(path: Path, kind: gguf.GGMLQuantizationType, vocabulary: int) -> int:
    """Write an untrained GPT-2 and return its number of parameters without the embedding of positions."""
    writer, rng = gguf.GGUFWriter(path, "gpt2"), np.random.default_rng(0)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if kind is gguf.GGMLQuantizationType.F32 else gguf.LlamaFileType.MOSTLY_Q8_0)
    parameters = 0

    def add(name: str, *shape: int) -> None:
        nonlocal parameters
        parameters += int(np.prod(shape)) * (name != "position_embd.weight")
        values = rng.normal(0, 0.02, shape).astype(np.float32)
        if len(shape) == 2 and name != "position_embd.weight":
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)

    add("token_embd.weight", vocabulary, WIDTH)
    add("position_embd.weight", POSITIONS, WIDTH)
    products = {"attn_qkv": (3 * WIDTH, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_up": (4 * WIDTH, WIDTH), "ffn_down": (WIDTH, 4 * WIDTH)}
    for block in range(LAYERS):
        for name, (rows, columns) in products.items():
            add(f"blk.{block}.{name}.weight", rows, columns)
            add(f"blk.{block}.{name}.bias", rows)
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{block}.{name}.weight", WIDTH)
            add(f"blk.{block}.{name}.bias", WIDTH)
    add("output_norm.weight", WIDTH)
    add("output_norm.bias", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return parameters


def llama_speed(program: str, model: Path, depth: int) -> float:
    """Return the tokens per second behind `depth` tokens."""
    command = [program, "-m", str(model), "-t", "1", "-p", "0", "-n", str(TOKENS), "-d", str(depth), "-r", "1", "-o", "json"]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return float(found["avg_ts"])


def own_speed(decoder: Decoder, tokens: list[torch.Tensor]) -> float:
    """Return the tokens per second of a text."""
    _, state = decoder.prefill(torch.stack(tokens[:16], 1))
    began = time.perf_counter()
    for token in tokens:
        _, state = decoder.step(token, state)
    return len(tokens) / (time.perf_counter() - began)


def measured(program: str) -> dict[str, Any]:
    """Return all speeds in tokens per second, each the median over the rounds."""
    torch.set_num_threads(1)
    config = SIZES["46M"]
    network = firing(config, ACTIVE)
    tokens = list(torch.randint(config.vocab_size, (TOKENS, 1), generator=torch.Generator().manual_seed(3)))
    found: dict[str, Any] = {
        "machine": describe(),
        "parameters": sum(parameter.numel() for parameter in SpikeGPT(config).parameters()),
        "active": firing_rate(network, torch.cat(tokens)[None]),
        "speeds": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for kind, stored in KINDS.items():
            model = Path(folder) / f"{kind}.gguf"
            found["llama.cpp parameters"] = write_gpt2(model, stored, config.vocab_size)
            decoders = {"spikes": Decoder(network, kind), "all inputs": Decoder(network, kind)}
            decoders["all inputs"].packed = pack_network(network, kind, gathers=False)
            speeds: dict[str, list[float]] = {}
            for _ in range(ROUNDS):
                for name, decoder in decoders.items():
                    speeds.setdefault(name, []).append(own_speed(decoder, tokens))
                for depth in DEPTHS:
                    speeds.setdefault(f"GPT-2 in llama.cpp, {depth}", []).append(llama_speed(program, model, depth))
            found["speeds"][kind] = {name: statistics.median(each) for name, each in speeds.items()}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("llama_bench", metavar="LLAMA_BENCH")
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write_json(options.out, {"llama.cpp": options.version, **measured(options.llama_bench)})
