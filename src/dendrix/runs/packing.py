"""Packing of a finished run for shipping with dendrix: `python -m dendrix.runs.packing RUN TARGET int8`.

Weights are stored as `dendrix.pretrained.packed` describes. A policy of exits belongs to the packed network, so it is fitted afterwards.
"""

import sys
from pathlib import Path
from typing import get_args

import safetensors.torch
from torch import Tensor

from ..core.files import read_json, write_atomic, write_json
from ..errors import InputError
from ..layers import delay_layers
from ..pretrained.packed import PACKED, Storage, pack_tensors, read_weights
from ..run_folder.checkpoint import expect_run, load_checkpoint
from ..run_folder.record import new_folder

_DESCRIBING = ("config.json", "run.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
"""Files beside the weights that are copied, if the run has them."""


def pack_run(run: Path, target: Path, storage: Storage = "int8") -> int:
    """Write a new folder with the network of a run in a quarter or half of the space, and return the size of its weights, in bytes.

    Args:
        run: folder of the run; delays are rounded to whole steps, as in its validation.
        target: folder to create.
        storage: type of the matrices.
    Raises:
        FileExistsError: `target` exists.
        OSError: the run is missing or not readable, or the folder cannot be written.
        InputError: the run is damaged, or cannot be packed (see `pack_tensors`).
    """
    expect_run(run)
    tensors, delays = _state(run)
    with new_folder(target) as folder:
        written = safetensors.torch.save(pack_tensors(tensors, storage, delays), {"format": "pt"})
        write_atomic(folder / PACKED, written)
        for name in _DESCRIBING:
            if (run / name).is_file():
                described = read_json(run / name)
                described.pop("auto_map", None)  # names code that reads plain weights, which is not copied
                write_json(folder / name, described)
    return len(written)


def _state(run: Path) -> tuple[dict[str, Tensor], set[str]]:
    """Return the tensors of a run with whole delays, and the names of the delays."""
    if "architectures" in read_json(run / "config.json"):  # a folder of transformers, whose names are those of the file
        return read_weights(run), set()
    network = load_checkpoint(run).model
    ours = {id(layer) for layer in delay_layers(network)}
    delays = {f"{name}.delay".lstrip(".") for name, part in network.named_modules() if id(part) in ours}
    return dict(network.state_dict()), delays


def main(arguments: list[str]) -> int:
    """Pack the run of a command line, RUN TARGET [int8 or float16]; returns the exit code."""
    if len(arguments) not in (2, 3) or not set(arguments[2:]) <= set(get_args(Storage)):
        print("usage: python -m dendrix.runs.packing RUN TARGET [int8 or float16]", file=sys.stderr)
        return 2
    run, target, *storage = arguments
    try:
        size = pack_run(Path(run), Path(target), *storage)  # type: ignore[arg-type]
    except (OSError, InputError) as error:
        print(f"dendrix: {error}", file=sys.stderr)
        return 1
    print(f"Packed {size:,} bytes of weights in {target}. Next: fit a policy, and write README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
