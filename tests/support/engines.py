"""Exported networks as compiled engines in this process: C through ctypes, and WebAssembly in wasmtime."""

import ctypes
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from dendrix.deploy import Deployed
from dendrix.deploy.wasm_export import engine

_GLUE = """
#include "dendrix.h"
#include "model.h"
size_t dx_bytes(void) { return DX_SIZE; }
int dx_start(void *memory) { return dx_init(memory, DX_SIZE, &dx_network, DX_RATE_HZ); }
"""


class CEngine:
    """A folder of an export to C, compiled by gcc."""

    def __init__(self, folder: Path, options: str = "-O2"):
        (folder / "glue.c").write_text(_GLUE)
        flags = ["-std=c99", *options.split(), "-DDX_TRACE", "-shared", "-fPIC", "-o", "engine.so"]
        subprocess.run(["gcc", *flags, "dendrix.c", "model.c", "glue.c"], cwd=folder, check=True, capture_output=True)
        self.library = ctypes.CDLL(str(folder / "engine.so"))
        self.library.dx_bytes.restype = ctypes.c_size_t
        self.library.dx_totals.restype = ctypes.POINTER(ctypes.c_int64)
        self.memory = (ctypes.c_uint64 * (self.library.dx_bytes() // 8 + 1))()

    def start(self) -> int:
        return int(self.library.dx_start(self.memory))

    def push(self, values: np.ndarray) -> int:
        kept = np.ascontiguousarray(values, np.int16)
        return int(self.library.dx_push(self.memory, kept.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(kept))))

    def stop(self) -> int:
        return int(self.library.dx_stop(self.memory))

    def totals(self, classes: int) -> list[int]:
        return list(self.library.dx_totals(self.memory)[:classes])

    def answer(self) -> tuple[int, int, int, int]:
        found = (ctypes.c_uint32 * 4)()
        self.library.dx_result(self.memory, found)
        return struct.unpack("<iIIi", bytes(found))


class WasmEngine:
    """The engine for WebAssembly in wasmtime, with the tables of a network."""

    def __init__(self, tables: bytes):
        import wasmtime

        self.store = wasmtime.Store()
        module = wasmtime.Module(self.store.engine, engine())
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.ram: Any = self.exports["memory"]
        self.free = (int(self.exports["__heap_base"].value(self.store)) + 7) & ~7
        self.model = self._call("load", self._place(tables))
        self.size, self.rate = self._call("size", self.model), 0
        self.stream, self.input, self.out = self._room(self.size), self._room(1 << 17), self._room(16)

    def _room(self, size: int) -> int:
        at, self.free = self.free, (self.free + size + 7) & ~7
        missing = self.free - self.ram.data_len(self.store)
        if missing > 0:
            self.ram.grow(self.store, -(-missing // 65536))
        return at

    def _place(self, data: bytes) -> int:
        at = self._room(len(data))
        self.ram.write(self.store, data, at)
        return at

    def _call(self, name: str, *arguments: int) -> int:
        return int(self.exports[name](self.store, *arguments))

    def start(self) -> int:
        return self._call("init", self.stream, self.size, self.model, self.rate)

    def push(self, values: np.ndarray) -> int:
        self.ram.write(self.store, values.astype("<i2").tobytes(), self.input)
        return self._call("push", self.stream, self.input, len(values))

    def stop(self) -> int:
        return self._call("stop", self.stream)

    def totals(self, classes: int) -> list[int]:
        at = self._call("totals", self.stream)
        return np.frombuffer(bytes(self.ram.read(self.store, at, at + 8 * classes)), "<i8").tolist()

    def answer(self) -> tuple[int, int, int, int]:
        self._call("result", self.stream, self.out)
        return struct.unpack("<iIIi", bytes(self.ram.read(self.store, self.out, self.out + 16)))


def expect_equal(made: Deployed, engine: CEngine | WasmEngine, clip: np.ndarray, rng: np.random.Generator) -> None:
    """Compare an engine with the reference on one clip: after every step up to the stop, and in pieces of random lengths."""
    totals, classes = made.totals(clip), len(made.labels)
    answer = made.answer(totals)
    expected = (answer.label, answer.confidence, answer.steps, int(answer.stopped))
    assert engine.start() == 0
    for k in range(min(len(clip) // made.step, answer.steps)):
        assert engine.push(clip[k * made.step : (k + 1) * made.step]) == int(answer.stopped and k + 1 == answer.steps)
        assert engine.totals(classes) == totals[k].tolist()
    if len(clip) // made.step < answer.steps:
        engine.push(clip[len(clip) // made.step * made.step :])
        engine.stop()
    assert engine.totals(classes) == totals[answer.steps - 1].tolist()
    assert engine.answer() == expected
    assert engine.start() == 0
    for piece in np.split(clip, np.sort(rng.integers(0, len(clip) + 1, 5))):
        engine.push(piece)
    engine.stop()
    assert engine.answer() == expected
