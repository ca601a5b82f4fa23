"""Exported C on an emulated Cortex-M: compiled by ziglang, run by unicorn, with its instructions counted."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from dendrix.deploy import Deployed, export_c

_FLASH, _RAM, _STACK, _INPUT, _ANSWER, _STREAM, _RETURN = 0x10000, 0x20000000, 0x20010000, 0x20020000, 0x20018000, 0x20030000, 0xF000
_GLUE = """
#include <stddef.h>
void *memset(void *to, int value, size_t n) { volatile unsigned char *p = to; while (n--) *p++ = (unsigned char)value; return to; }
void *memcpy(void *to, const void *from, size_t n) {
  volatile unsigned char *p = to; const unsigned char *q = from; while (n--) *p++ = *q++; return to;
}
void *memmove(void *to, const void *from, size_t n) {
  volatile unsigned char *p = to; const unsigned char *q = from;
  if (p < q) while (n--) *p++ = *q++;
  else while (n--) p[n] = q[n];
  return to;
}
"""

_STRING = """#include <stddef.h>
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
"""


class Cortex:
    """A folder of an export, loaded into an emulated Cortex-M4 or M0+."""

    def __init__(self, folder: Path, cpu: str = "cortex_m4", options: str = "-Os"):
        import unicorn
        from unicorn import arm_const

        self.registers = arm_const
        (folder / "glue.c").write_text(_GLUE)
        (folder / "string.h").write_text(_STRING)
        target = [
            "-target",
            "thumb-freestanding-eabi",
            f"-mcpu={cpu}",
            "-std=c99",
            *options.split(),
            "-g",
            "-fno-builtin",
            "-DDX_TRACE",
            "-I.",
        ]
        link = ["-Wl,-e,dx_push", f"-Wl,--image-base={_FLASH}", "-Wl,--gc-sections", "-ffunction-sections", "-fno-unwind-tables"]
        link += [f"-Wl,-u,{name}" for name in ("dx_init", "dx_stop", "dx_result", "dx_totals", "dx_network")]
        command = [sys.executable, "-m", "ziglang", "cc", *target, *link, "dendrix.c", "model.c", "glue.c", "-o", "image.elf"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        self.core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        for start, size in ((0x0, 0x10000), (_FLASH, 0x100000), (_RAM, 0x80000)):
            self.core.mem_map(start, size)
        self._load((folder / "image.elf").read_bytes())
        self.lengths: dict[int, int] = {}
        self.instructions = 0
        self.core.hook_add(unicorn.UC_HOOK_BLOCK, self._block)

    def _load(self, elf: bytes) -> None:
        _, header, sections = struct.unpack_from("<3I", elf, 24)
        header_size, count, section_size, section_count = struct.unpack_from("<4H", elf, 42)
        for k in range(count):
            kind, offset, address, _, size = struct.unpack_from("<5I", elf, header + k * header_size)
            if kind == 1:
                self.core.mem_write(address, elf[offset : offset + size])
        self.symbols: dict[str, int] = {}
        tables = [struct.unpack_from("<10I", elf, sections + k * section_size) for k in range(section_count)]
        for table in tables:
            if table[1] != 2:  # symbols
                continue
            names = tables[table[6]][4]
            for at in range(table[4], table[4] + table[5], 16):
                name, value = struct.unpack_from("<2I", elf, at)
                end = elf.index(b"\0", names + name)
                self.symbols[elf[names + name : end].decode()] = value

    def _block(self, core: object, address: int, size: int, data: object) -> None:
        if address not in self.lengths:
            code, at, count = bytes(self.core.mem_read(address, size)), 0, 0
            while at < size:
                at += 4 if code[at + 1] >> 3 in (0b11101, 0b11110, 0b11111) else 2
                count += 1
            self.lengths[address] = count
        self.instructions += self.lengths[address]

    def call(self, name: str, *arguments: int) -> int:
        """Call a function; returns its result as a signed number."""
        r = self.registers
        for register, value in zip((r.UC_ARM_REG_R0, r.UC_ARM_REG_R1, r.UC_ARM_REG_R2, r.UC_ARM_REG_R3), arguments, strict=False):
            self.core.reg_write(register, value)
        self.core.reg_write(r.UC_ARM_REG_SP, _STACK)
        self.core.reg_write(r.UC_ARM_REG_LR, _RETURN | 1)
        self.core.emu_start(self.symbols[name] | 1, _RETURN)
        value = self.core.reg_read(r.UC_ARM_REG_R0)
        return value - (1 << 32) if value >> 31 else value

    def start(self, size: int, rate: int) -> int:
        """Start a stream."""
        return self.call("dx_init", _STREAM, size, self.symbols["dx_network"], rate)

    def push(self, values: np.ndarray) -> int:
        """Push values."""
        self.core.mem_write(_INPUT, values.astype("<i2").tobytes())
        return self.call("dx_push", _STREAM, _INPUT, len(values))

    def stop(self) -> int:
        """End the input."""
        return self.call("dx_stop", _STREAM)

    def totals(self, classes: int) -> np.ndarray:
        """Accumulated outputs."""
        at = self.call("dx_totals", _STREAM) & 0xFFFFFFFF
        return np.frombuffer(bytes(self.core.mem_read(at, 8 * classes)), "<i8")

    def answer(self) -> tuple[int, int, int, int]:
        """Label, confidence, steps, stopped."""
        self.call("dx_result", _STREAM, _ANSWER)
        return struct.unpack("<iIIi", bytes(self.core.mem_read(_ANSWER, 16)))


def check(made: Deployed, clips: list[np.ndarray], folder: Path, cpu: str) -> Cortex:
    """Export a network and compare every step of clips with the reference."""
    export_c(made, folder, clips)
    core, classes = Cortex(folder, cpu), len(made.labels)
    for clip in clips:
        expected = made.totals(clip)
        assert core.start(1 << 16, made.encoder.rate if made.encoder else 0) == 0
        for k in range(len(clip) // made.step):
            assert core.push(clip[k * made.step : (k + 1) * made.step]) == 0
            assert np.array_equal(core.totals(classes), expected[k])
        core.push(clip[len(clip) // made.step * made.step :])
        core.stop()
        assert np.array_equal(core.totals(classes), expected[-1])
        answer = made.answer(expected)
        assert core.answer() == (answer.label, answer.confidence, answer.steps, answer.stopped)
    return core
