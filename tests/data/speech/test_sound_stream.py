"""Sound from a pipe: every format gives what the file gives, and a pipe may end anywhere."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dendrix.data import read_wav, resample
from dendrix.data.speech.audio import resample_stream
from dendrix.data.speech.sound_stream import stream_sound

RATE = 8_000
SOUND = 0.5 * np.sin(np.arange(2_000) / 5).astype(np.float32)
RAW = (SOUND * 32_767).astype("<i2").tobytes()


def heard(content: bytes, rate: int = RATE) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *stream_sound(io.BytesIO(content), rate)])


@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_format_gives_what_the_file_gives(tmp_path: Path, kind: str, channels: int) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([SOUND * (1 - 0.3 * i) for i in range(channels)], 1), RATE, subtype=kind)
    wave, _ = read_wav(path)
    np.testing.assert_allclose(heard(path.read_bytes()), wave, atol=1e-6)


def test_bare_samples() -> None:
    np.testing.assert_array_equal(heard(RAW), np.frombuffer(RAW, "<i2") / np.float32(32_768))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 11, 12, 13, 159, 160, 161, 1_001])
def test_half_a_sample_at_the_end_does_not_count(count: int) -> None:
    assert len(heard(RAW[:count])) == count // 2


def test_another_rate_is_resampled_as_a_whole_file_is(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, SOUND, 44_100)
    wave, rate = read_wav(path)
    np.testing.assert_allclose(heard(path.read_bytes()), resample(wave, rate, RATE), atol=1e-4)
    pieces = resample_stream(np.split(wave, [7, 7, 900]), rate, RATE)
    np.testing.assert_allclose(np.concatenate(list(pieces)), resample(wave, rate, RATE), atol=1e-4)


def wav(fmt: bytes, samples: bytes, length: int) -> bytes:
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    return b"RIFF\xff\xff\xff\xffWAVE" + extra + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", length) + samples


PCM16 = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, len(RAW), len(RAW) + 100])
def test_a_writer_to_a_pipe_may_not_know_the_length(length: int) -> None:
    np.testing.assert_array_equal(heard(wav(PCM16, RAW, length)), heard(RAW))


def test_what_follows_the_samples_is_not_heard() -> None:
    np.testing.assert_array_equal(heard(wav(PCM16, RAW + b"LIST\x04\0\0\0noise", len(RAW))), heard(RAW))


def test_what_has_piled_up_comes_in_few_pieces_but_not_all_of_it_is_taken_at_once() -> None:
    pipe = io.BytesIO(RAW * 4)
    first = next(stream_sound(pipe, RATE))
    assert RATE // 5 <= len(first) < RATE // 2
    assert pipe.tell() == 2 * len(first)
    assert len(list(stream_sound(io.BytesIO(RAW * 4), RATE))) <= 5  # of one second


def test_a_live_sound_is_not_waited_for() -> None:
    end, start = os.pipe()
    with os.fdopen(end, "rb") as pipe:
        pieces = stream_sound(pipe, RATE)
        for taken in (RAW[:160], RAW[160:320]):
            os.write(start, taken)
            np.testing.assert_array_equal(next(pieces), heard(taken))
        os.close(start)
        assert list(pieces) == []


class Endless(io.BytesIO):
    """Zeros for ever after the first bytes, and how many were taken."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0
        self.taken += size
        return super().read(size).ljust(size, b"\0")


def test_a_chunk_that_claims_four_gigabytes_is_not_read() -> None:
    pipe = Endless(b"RIFF\xff\xff\xff\xffWAVE" + b"LIST" + struct.pack("<I", 0xFFFFFFF0))
    with pytest.raises(
        ValueError, match=r"stdin: expected a short header before the samples of a wav stream, got 4294967280 bytes of b'LIST'"
    ):
        next(stream_sound(pipe, RATE))
    assert pipe.taken < 1_000


@pytest.mark.parametrize("count", [12, 20, 30, 47])
def test_a_header_that_is_cut_short_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="it ends before them"):
        heard(wav(PCM16, RAW, len(RAW))[:count])


@pytest.mark.parametrize(
    ("code", "channels", "rate", "bits"), [(1, 1, RATE, 12), (2, 1, RATE, 4), (1, 0, RATE, 16), (1, 1, 0, 16), (0xFFFE, 1, RATE, 16)]
)
def test_a_format_that_is_none_is_refused(code: int, channels: int, rate: int, bits: int) -> None:
    with pytest.raises(ValueError, match="expected a wav stream of PCM or float samples, got format"):
        heard(wav(struct.pack("<HHIIHH", code, channels, rate, 0, 0, bits), RAW, len(RAW)))


@pytest.mark.parametrize("head", [b"OggS\0\2\0\0\0\0\0\0", b"fLaC\0\0\0\x22\x10\0\x10\0", b"RIFF", b"RIFF\x24\0\0\0AVI "])
def test_a_file_of_another_kind_is_not_taken_for_bare_samples(head: bytes) -> None:
    with pytest.raises(ValueError, match="expected a wav stream or raw samples, got a file that starts with"):
        heard(head + RAW if len(head) == 12 else head)


def test_a_stream_with_nan_is_refused() -> None:
    samples = np.array([0, np.nan, 1], "<f4").tobytes()
    with pytest.raises(ValueError, match="stdin: expected finite samples, got nan at sample 1"):
        heard(wav(struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32), samples, len(samples)))


@pytest.mark.parametrize(
    ("value", "says"), [(1e300, "expected finite samples, got inf at sample 1"), (1e30, r"full scale at 1, got 1e\+30")]
)
def test_a_stream_beyond_all_scales_is_refused(value: float, says: str) -> None:
    samples = np.array([0, value, 1], "<f8").tobytes()
    with pytest.raises(ValueError, match=f"stdin: .*{says}"):
        heard(wav(struct.pack("<HHIIHH", 3, 1, RATE, 8 * RATE, 8, 64), samples, len(samples)))
