"""Every reader of outside bytes, with good inputs to damage and, where there is a writer, what must come back."""

import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from hypothesis import strategies as st
from PIL import Image

from dendrix.data import Events, LogMel, encoder_to_dict, mnist, nmnist, read_arrays, read_events, read_wav
from dendrix.data.events.gesture import read_marks
from dendrix.data.events.spike_file import read_spike_file
from dendrix.data.images.cifar import cifar10
from dendrix.data.images.mnist import _read_idx
from dendrix.data.images.pictures import read_picture
from dendrix.data.images.plain_pickle import read_plain_pickle
from dendrix.data.pack import read_pack
from dendrix.data.speech.audio import decode_audio
from dendrix.data.speech.commands import command_clips
from dendrix.data.speech.fsdd import fsdd_recordings
from dendrix.data.speech.sound_stream import stream_sound
from dendrix.data.text.archive import read_texts
from dendrix.data.text.sentences import read_rows
from dendrix.data.text.tokenizers import byte_tokenizer, read_tokenizer
from dendrix.deploy import quantise
from dendrix.errors import DendrixError
from dendrix.exchange import read_graph, write_nir
from dendrix.exits import ExitRecord, MeanSteps, Policy, fit
from dendrix.exits.policy import _digest
from dendrix.generate import Conversation
from dendrix.generate.memory import pack, rest
from dendrix.models import Decision, DelayNet, DelayNetConfig, SpikeGPT, SpikeGPTConfig
from dendrix.run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from dendrix.run_folder.record import read_lines, read_record
from dendrix.run_folder.state import Run
from dendrix.sdr import SDR
from dendrix.serve.errors import ApiError
from dendrix.serve.request import ChatRequest, CompletionRequest, read_request
from support.event_files import AEDAT3_HEAD, aedat2, aedat3_packet, aedat4, event_packet, record, some
from support.exit_records import pool
from support.integer_networks import frames, network
from support.nir_graphs import chain_graph
from support.spike_files import clips, write

from .mutations import damaged, odd_json

ERRORS = (DendrixError, OSError, ApiError)
"""Errors that readers document; an OSError must be of the system, with a number."""


@dataclass(frozen=True)
class Target:
    """A reader under test."""

    seeds: Callable[[], list[bytes]]
    """Good inputs."""
    read: Callable[[Path, bytes], Any]
    """Read an input, in an empty folder."""
    again: Callable[[Path, Any], Any] | None = None
    """Write what was read and read it again; both must be equal."""
    wrap: Callable[[bytes], bytes] = bytes
    """Put what is damaged into its container, so that checksums do not hide what is behind them."""
    is_json: bool = False

    def inputs(self) -> st.SearchStrategy[bytes]:
        """Damaged inputs."""
        seeds = tuple(self.seeds())
        either = st.one_of(odd_json(seeds), damaged(seeds)) if self.is_json else damaged(seeds)
        return either.map(self.wrap)


def of_file(name: str, read: Callable[[Path], Any]) -> Callable[[Path, bytes], Any]:
    """A reader of the file of this name."""

    def in_folder(folder: Path, content: bytes) -> Any:
        (folder / name).write_bytes(content)
        return read(folder / name)

    return in_folder


def made(write_file: Callable[[Path], Any], name: str = "made") -> bytes:
    """The content of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        write_file(Path(folder, name))
        return Path(folder, name).read_bytes()


def equal(a: Any, b: Any) -> bool:
    """Whether two values that were read are the same, NaN included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(map(equal, a.values(), b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return repr(a) == repr(b)


# Sounds


def sound(kind: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    wave = (0.5 * np.sin(np.arange(400) * 0.3)).astype(np.float32)
    soundfile.write(file, np.stack([wave, wave], 1) if subtype == "PCM_24" else wave, 8_000, format=kind, subtype=subtype)
    return file.getvalue()


def wavs() -> list[bytes]:
    return [sound("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")] + [sound("RF64")]


def streams() -> list[bytes]:
    return [sound("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT")]


def wav_again(folder: Path, read: tuple[np.ndarray, int]) -> Any:
    soundfile.write(folder / "again.wav", read[0], read[1], format="WAV", subtype="FLOAT")
    return read_wav(folder / "again.wav")


def streamed(_: Path, content: bytes) -> Any:
    return [chunk for chunk in stream_sound(io.BytesIO(content), 8_000) if len(chunk)]


# Events


def events_again(folder: Path, read: Events) -> Events:
    array = np.zeros(len(read.t), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
    for name in array.dtype.names:
        array[name] = getattr(read, name)
    np.save(folder / "again.npy", array)
    return read_events(folder / "again.npy")


def events(suffix: str, *seeds: bytes) -> Target:
    return Target(lambda: list(seeds), of_file(f"a{suffix}", read_events), events_again)


def aedat4_file() -> list[bytes]:
    packets = [(0, event_packet(some(20))), (0, event_packet(some(5, seed=1)))]
    return [aedat4(packets, compression) for compression in (0, 1)]


def npy_file(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def recording() -> np.ndarray:
    array = np.zeros(20, [("x", "<u2"), ("y", "<i8"), ("t", "<u8"), ("p", "?")])
    for name, values in some(20)._asdict().items():
        array[name] = values
    return array


# Arrays: members are damaged inside of a whole archive


def packed(names: tuple[str, ...], good: Callable[[], dict[str, bytes]]) -> Callable[[bytes], bytes]:
    """An archive with one damaged member, under any of the names; a good one has its own."""

    def wrap(content: bytes) -> bytes:
        own = next((name for name, member in good().items() if member == content), None)
        place = own or names[zlib.crc32(content) % len(names)]
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
            for name, member in {**good(), place: content}.items():
                pack.writestr(f"{name}.npy", member)
        return file.getvalue()

    return wrap


@cache
def own_arrays() -> dict[str, bytes]:
    x = np.random.default_rng(0).random((4, 5, 3), np.float32)
    arrays = {
        "x": x,
        "y": np.array([0, 1, 0, 1]),
        "lengths": np.array([5, 3, 2, 5]),
        "labels": np.array(["a", "b"]),
        "dt_ms": np.array(2.0),
    }
    return {name: npy_file(array) for name, array in arrays.items()}


@cache
def recorded() -> dict[str, bytes]:
    content = made(lambda path: pool(6, 4, 3).save(path), "a.npz")
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        return {name.removesuffix(".npy"): pack.read(name) for name in pack.namelist()}


def members(arrays: Callable[[], dict[str, bytes]], read: Callable[[Path], Any], again: Any = None) -> Target:
    names = tuple(arrays())
    return Target(lambda: list(arrays().values()), of_file("a.npz", read), again, packed(names, arrays))


def whole_npz() -> list[bytes]:
    return [packed(("x",), own_arrays)(own_arrays()["x"])]


def codes() -> list[bytes]:
    return [made(lambda path: SDR.from_indices(50, [[1, 2, 3], [], [7, 49]]).save(path), "a.npz")]


@cache
def code_arrays() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(codes()[0])) as pack:
        return {name.removesuffix(".npy"): pack.read(name) for name in pack.namelist()}


# Spikes, images, pickles


def spike_files() -> list[bytes]:
    return [made(lambda path: write(path, *clips(3, 0)), "a.h5")]


def pictures() -> list[bytes]:
    greys = np.arange(48, dtype=np.uint8).reshape(6, 8)
    found = []
    for mode, kind in (
        ("L", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("RGB", "JPEG"),
        ("L", "TIFF"),
        ("RGB", "WEBP"),
        ("P", "GIF"),
        ("RGB", "BMP"),
    ):
        file = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(greys).convert(mode).save(file, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}))
        found.append(file.getvalue())
    for array in (greys.astype(np.uint16) * 1000, greys.astype(np.float32) / 48):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "TIFF")
        found.append(file.getvalue())
    return found


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums of their content; other content as it is."""
    if content[:4] != b"\x89PNG":
        return content
    fixed, place = content[:8], 8
    while place + 12 <= len(content):
        length = struct.unpack_from(">I", content, place)[0]
        body = content[place + 4 : place + 8 + length]
        fixed += content[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return fixed + content[place:]


def picture_again(folder: Path, read: torch.Tensor) -> torch.Tensor:
    Image.fromarray(read.permute(1, 2, 0).numpy()).save(folder / "again.png")
    return read_picture(folder / "again.png")


def pickles() -> list[bytes]:
    saved = {"x": np.arange(5.0), b"y": [1, 2.5, None, True, (b"bytes", "text")], "z": np.array([[1, 2]], ">i2"), "s": np.float32(3)}
    return [pickle.dumps(saved, protocol) for protocol in range(6)]


def idx_files() -> list[bytes]:
    return [struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 3, 3) + bytes(range(18))]


def cifar_batch(folder: Path, content: bytes) -> Any:
    """The Python version, of which one batch is damaged."""
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(cifar_batches()[0])
    (folder / "data_batch_3").write_bytes(content)
    return cifar10(folder, held_out=1).train.x


def cifar_batches() -> list[bytes]:
    return [pickle.dumps({b"labels": [3], b"data": np.zeros((1, 3072), np.uint8)}, 2)]


# Texts


def tables(kind: str) -> list[bytes]:
    rows = [("one, two", "good"), ("thr\u00e9e", "bad"), ("four", "good")]
    if kind == ".jsonl":
        return ["".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows).encode()]
    mark = "\t" if kind == ".tsv" else ","
    return [("text" + mark + "label\n" + "".join(f'"{text}"{mark}{label}\r\n' for text, label in rows)).encode()]


def read_table(path: Path) -> list[Any]:
    return [row[:2] for row in read_rows(path)]


def table_rows_again(folder: Path, rows: list[Any]) -> list[Any]:
    (folder / "again.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return read_table(folder / "again.jsonl")


def archive() -> list[bytes]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed_texts:
        for name in ("train.txt", "valid.txt", "test.txt"):
            member = tarfile.TarInfo(name)
            member.size = 40
            packed_texts.addfile(member, io.BytesIO(bytes(range(65, 105))))
    return [file.getvalue()]


def tokenizers() -> list[bytes]:
    return [byte_tokenizer().to_str().encode()]


# Runs and policies


@cache
def small_run() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = DelayNet(DelayNetConfig(5, 3, (4,), max_delay_ms=60.0)).eval()
        write_checkpoint(folder, Checkpoint(model, ("a", "b", "c"), encoder_to_dict(LogMel(n_mels=5)), Decision("max", tail_ms=20.0)))
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@cache
def described_run() -> dict[str, bytes]:
    from torch import nn

    import dendrix

    with tempfile.TemporaryDirectory() as name:
        dendrix.save(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)), name, labels=("a", "b"))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


@cache
def integer_run() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        whole = quantise(network(hidden=5), [frames()])
        write_checkpoint(Path(name), Checkpoint(whole, ("a", "b", "c", "d"), None, Decision("mean")))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


@cache
def graphs() -> list[bytes]:
    return [made(partial(write_nir, chain_graph(kind)), "a.nir") for kind in ("LIF", "CubaLIF")]


def read_nir(path: Path) -> Any:
    graph = read_graph(path, strict=False)
    return [graph.edges, {name: (node.type, node.params) for name, node in graph.nodes.items()}]


def run_with(files: Callable[[], dict[str, bytes]], damaged_name: str) -> Callable[[Path, bytes], Any]:
    def read(folder: Path, content: bytes) -> Any:
        for name, good in {**files(), damaged_name: content}.items():
            (folder / name).write_bytes(good)
        checkpoint = load_checkpoint(folder)
        return [checkpoint.labels, checkpoint.model.state_dict()]

    return read


def records_of_runs() -> list[bytes]:
    recipe = {"data": {"name": "fsdd", "root": None}, "model": {"hidden": [4]}, "seed": 0}
    progress = {"epoch": 3, "step": 9, "best_epoch": 1, "best_accuracy": 0.5, "best_loss": 1.0, "stopped": None}
    return [json.dumps({"name": "fsdd", "recipe": recipe, "progress": progress, "warnings": [], "seconds": 1.0}).encode()]


@cache
def policies() -> list[bytes]:
    return [made(lambda path: fit(pool(50, 4, 3), "max-probability", MeanSteps(2)).save(path))]


def signed(content: bytes) -> bytes:
    """A policy with the digest of its content, as one who edits it could compute it."""
    try:
        value = json.loads(content)
        value.pop("digest")
        return json.dumps({**value, "digest": _digest(value)}).encode()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return content


RECIPE = {"name": "test", "recipe": {"seed": 0}, "data_sha256": "x", "environment": {"platform": "y"}}


@cache
def states_of_runs() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        run = Run(Path(name), dict(RECIPE))
        run.progress.improve(0.5, 1.0)
        run.save({"weight": torch.arange(6.0), "step": torch.tensor(3)})
        return [next(Path(name).glob("resume-*")).read_bytes()]


def resumed(folder: Path, content: bytes) -> Any:
    (folder / "resume-00001.safetensors").write_bytes(content)
    return Run(folder, dict(RECIPE)).resume()


@cache
def language_model() -> SpikeGPT:
    torch.manual_seed(0)
    return SpikeGPT(SpikeGPTConfig(256, 8, 1)).eval()


@cache
def conversations() -> list[bytes]:
    talk = Conversation(pack(rest(language_model().config), 1), (1, 2, 3))
    return [made(lambda path: talk.save(path, language_model()))]


def packs(names: tuple[str, ...], good: Callable[[], dict[str, Any]], read: Callable[[Path], Any], name: str) -> Target:
    """A data set in one archive of arrays."""

    @cache
    def arrays() -> dict[str, bytes]:
        return {key: npy_file(np.asarray(value)) for key, value in good().items()}

    assert set(names) == set(good())
    return Target(lambda: list(arrays().values()), of_file(name, read), None, packed(names, arrays))


def nmnist_arrays() -> dict[str, Any]:
    count = 402
    return {
        "x": np.ones(count, np.uint8), "yp": np.full(count, 129, np.uint8), "dt": np.ones(count, np.uint16),
        "offsets": np.arange(count + 1), "labels": np.arange(count) % 10,
    }  # fmt: skip


def fsdd_arrays() -> dict[str, Any]:
    return {
        "lo": np.arange(60, dtype=np.uint8), "hi": np.zeros(60, np.uint8), "offsets": np.array([0, 20, 40, 60]),
        "labels": np.array([1, 2, 3]), "take": np.array([0, 6, 12]), "speakers": np.array(["a", "b"]), "speaker": np.array([0, 1, 1]),
    }  # fmt: skip


def command_arrays() -> dict[str, Any]:
    return {
        "ogg": np.arange(30, dtype=np.uint8), "offsets": np.array([0, 10, 20, 30]), "labels": np.array([0, 1, 0]),
        "speaker": np.array([0, 1, 2]), "split": np.array([0, 1, 2]), "classes": np.array(["yes", "no"]),
    }  # fmt: skip


def mnist_arrays() -> dict[str, Any]:
    x, y = np.zeros((3, 28, 28), np.uint8), np.array([1, 2, 3], np.uint8)
    return {"train_x": x, "train_y": y, "test_x": x, "test_y": y}


def requests() -> list[bytes]:
    whole = {"model": "m", "prompt": ["a", [1, 2]], "max_tokens": 4, "temperature": 0.5, "stop": ["x"], "stream": True, "seed": 3, "n": 2}
    return [json.dumps(whole).encode(), b'{"model": "m", "prompt": "a"}']


def chat_requests() -> list[bytes]:
    parts = [{"type": "text", "text": "Hello"}]
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": parts}]
    whole = {"model": "m", "messages": messages, "max_tokens": 4, "logprobs": True, "top_logprobs": 2, "logit_bias": {"7": 1.5}}
    return [json.dumps(whole).encode()]


TARGETS: dict[str, Target] = {
    "wav": Target(wavs, of_file("a.wav", read_wav), wav_again),
    "sound-stream": Target(streams, streamed),
    "flac": Target(lambda: [sound("FLAC")], lambda _, content: decode_audio(content, "clip")),
    "ogg": Target(lambda: [sound("OGG", "OPUS")], lambda _, content: decode_audio(content, "clip")),
    "bin": events(".bin", record(some(20))),
    "bs1": events(".bs1", record(some(20), wide=True)),
    "aedat2": events(".aedat", aedat2(some(20)), aedat2(some(20), "x.DVS128", "dvs128")),
    "aedat3": events(".aedat", AEDAT3_HEAD + aedat3_packet(some(20)) + aedat3_packet(some(5))),
    "aedat4": Target(aedat4_file, of_file("a.aedat4", read_events), events_again),
    "npy": events(".npy", npy_file(recording())),
    "gesture-marks": Target(lambda: [b"class,startTime_usec,endTime_usec\n1,5,10\n2,20,30\n"], of_file("a.csv", read_marks)),
    "spikes": Target(spike_files, of_file("a.h5", lambda path: read_spike_file(path).counts)),
    "npz": Target(whole_npz, of_file("a.npz", read_arrays)),
    "arrays": members(own_arrays, lambda path: read_arrays(path).y),
    "pack": Target(whole_npz, of_file("a.npz", lambda path: read_pack(path, "test", ("x",)))),
    "exit-record": members(recorded, ExitRecord.load, None),
    "codes": Target(codes, of_file("a.npz", SDR.load)),
    "code-arrays": members(code_arrays, SDR.load),
    "picture": Target(pictures, of_file("a.png", read_picture), picture_again, with_checksums),
    "pickle": Target(pickles, of_file("a", read_plain_pickle)),
    "cifar": Target(cifar_batches, cifar_batch),
    "idx": Target(idx_files, of_file("a", _read_idx)),
    "idx-gz": Target(idx_files, of_file("a.gz", _read_idx), wrap=gzip.compress),
    "csv": Target(partial(tables, ".csv"), of_file("a.csv", read_table), table_rows_again),
    "tsv": Target(partial(tables, ".tsv"), of_file("a.tsv", read_table), table_rows_again),
    "jsonl": Target(partial(tables, ".jsonl"), of_file("a.jsonl", read_table), table_rows_again),
    "tar": Target(archive, of_file("a.tar", lambda path: read_texts(path, "texts"))),
    "tar-xz": Target(archive, of_file("a.tar.xz", lambda path: read_texts(path, "texts")), wrap=lzma.compress),
    "tokenizer": Target(tokenizers, of_file("tokenizer.json", lambda path: read_tokenizer(path).to_str()), is_json=True),
    "run-config": Target(lambda: [small_run()["config.json"]], run_with(small_run, "config.json"), is_json=True),
    "run-description": Target(lambda: [described_run()["config.json"]], run_with(described_run, "config.json"), is_json=True),
    "run-weights": Target(lambda: [small_run()["model.safetensors"]], run_with(small_run, "model.safetensors")),
    "integer-config": Target(lambda: [integer_run()["config.json"]], run_with(integer_run, "config.json"), is_json=True),
    "integer-weights": Target(lambda: [integer_run()["model.safetensors"]], run_with(integer_run, "model.safetensors")),
    "nir": Target(graphs, of_file("a.nir", read_nir)),
    "run-record": Target(
        records_of_runs, lambda folder, content: of_file("run.json", lambda path: read_record(folder))(folder, content), is_json=True
    ),
    "metrics": Target(lambda: [b'{"epoch": 1, "loss": 0.5}\n{"epoch": 2}\n'], of_file("metrics.jsonl", read_lines)),
    "policy": Target(policies, of_file("policy.json", Policy.load), wrap=signed, is_json=True),
    "resume": Target(states_of_runs, resumed),
    "conversation": Target(conversations, of_file("talk", lambda path: Conversation.load(path, language_model()).state)),
    "nmnist-pack": packs(tuple(nmnist_arrays()), nmnist_arrays, lambda path: nmnist(path).test.x[0], "nmnist_small.npz"),
    "fsdd-pack": packs(tuple(fsdd_arrays()), fsdd_arrays, lambda path: fsdd_recordings(path).digit, "fsdd.npz"),
    "commands-pack": packs(tuple(command_arrays()), command_arrays, lambda path: command_clips(path).word, "arabic_commands40.npz"),
    "mnist-pack": packs(tuple(mnist_arrays()), mnist_arrays, lambda path: mnist(path)[0].y, "mnist_small.npz"),
    "request": Target(requests, lambda _, content: read_request(content, CompletionRequest), is_json=True),
    "chat-request": Target(chat_requests, lambda _, content: read_request(content, ChatRequest), is_json=True),
}
