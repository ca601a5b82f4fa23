"""Image data sets in the published formats, small and generated, for tests."""

import gzip
import io
import pickle
import struct
from pathlib import Path

import numpy as np
from PIL import Image

PREFIXES = ("train", "t10k")
"""How the names of the files of MNIST begin."""

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def coloured(count: int, seed: int = 0, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Smooth images [N, 3, side, side] that are brightest in the colour and the corner that their class, of 10, says; and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(count) % 10)
    ramp = np.linspace(0, 1, side)
    corner = np.where((y % 2 == 0)[:, None, None], ramp[None, :, None], ramp[None, None, :])
    x = 60 + 20 * rng.random((count, 3, 1, 1)) + 100 * corner[:, None] * (np.arange(3)[None] == (y // 2 % 3)[:, None])[..., None, None]
    return (x + 10 * (y // 6)[:, None, None, None]).astype(np.uint8), y.astype(np.uint8)


def write_binary(folder: Path, per_batch: int = 20) -> None:
    for number, name in enumerate(BATCHES):
        x, y = coloured(per_batch, number)
        (folder / f"{name}.bin").write_bytes(np.hstack([y[:, None], x.reshape(per_batch, -1)]).tobytes())


def write_python(folder: Path, per_batch: int = 20) -> None:
    """As Python 2 pickled it: keys and labels as bytes and plain numbers, protocol 2."""
    for number, name in enumerate(BATCHES):
        x, y = coloured(per_batch, number)
        batch = {b"batch_label": b"part", b"labels": y.tolist(), b"data": x.reshape(per_batch, -1), b"filenames": [b"a.png"] * per_batch}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def encoded(x: np.ndarray, kind: str = "PNG") -> bytes:
    """One image [3, H, W], or greys [H, W], as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(x if x.ndim == 2 else x.transpose(1, 2, 0)).save(file, kind)
    return file.getvalue()


def write_pack(folder: Path, per_batch: int = 20) -> None:
    """The pack of coded images; PNG here, so that nothing is lost."""
    parts = [coloured(per_batch, number) for number in range(6)]
    train = tuple(np.concatenate(part) for part in zip(*parts[:5], strict=True))
    for name, (x, y) in (("train", train), ("test_public", parts[5])):
        files = [encoded(image) for image in x]
        offsets = np.cumsum([0, *map(len, files)])
        np.savez(folder / f"cifar10_{name}.npz", jpeg=np.frombuffer(b"".join(files), np.uint8), offsets=offsets, labels=y)


def write_idx(path: Path, values: np.ndarray) -> None:
    """An array as MNIST is published: magic number with type and axes, sizes as big-endian 32-bit integers, bytes."""
    content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
