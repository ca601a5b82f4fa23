"""SHD and SSC from files of the published form: ragged float16 times, ragged units, labels, speakers and names."""

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.data import loader, shd, ssc
from dendrix.data.events.spike_file import count_spikes, read_spike_file
from support.spike_files import WORDS, clips, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "shd").mkdir(parents=True)
    write(tmp_path / "data" / "shd" / "shd_train.h5", *clips(100, 0))
    write(tmp_path / "data" / "shd" / "shd_test.h5", *clips(8, 1))
    return tmp_path / "data"


def spikes(*pairs: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([t for t, _ in pairs]), np.array([u for _, u in pairs], np.int64)


def test_counts_by_hand() -> None:
    pairs = spikes((0.1, 0), (0.1, 4), (0.1095, 5), (0.112, 699), (0.135, 699))
    expected = torch.zeros(4, 140, dtype=torch.uint8)  # 35 ms after the first spike
    expected[0, 0], expected[0, 1], expected[1, 139], expected[3, 139] = 2, 1, 1, 1
    assert torch.equal(count_spikes(*pairs), expected)
    assert torch.equal(count_spikes(*pairs, from_first_spike=False)[10:], expected)
    assert count_spikes(*pairs, dt_ms=2.5, group=1).shape == (14, 700)
    assert count_spikes(*spikes((0.0, 7), (0.02, 7))).tolist()[1][1] == 1  # a spike at the very end belongs to the last step
    assert count_spikes(*spikes((0.3, 1))).shape == count_spikes(*spikes()).shape == (1, 140)


def test_many_spikes_in_one_bin_do_not_overflow_the_byte() -> None:
    counts = count_spikes(np.zeros(1000), np.zeros(1000, np.int64))
    assert counts[0, 0] == counts.sum() == 1000


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 699)), max_size=30), st.sampled_from([1, 5, 7, 700]), st.booleans())
def test_no_spike_is_lost(pairs: list[tuple[float, int]], group: int, from_first: bool) -> None:
    times, units = spikes(*sorted(pairs))
    counts = count_spikes(times, units, group=group, from_first_spike=from_first)
    assert counts.sum() == len(pairs)
    assert torch.equal(counts.sum(0), torch.from_numpy(np.bincount(units // group, minlength=700 // group)))


def test_half_precision_times_are_widened_before_they_are_used(tmp_path: Path) -> None:
    times = np.array([0.7, 1.2, 33.0, 59.9], np.float16)
    write(tmp_path / "a.h5", [times], [[0, 0, 0, 0]], [0], [0])
    (counts,) = read_spike_file(tmp_path / "a.h5", dt_ms=0.25, from_first_spike=False).counts
    exact = np.minimum(times.astype(np.float64) * 1000 // 0.25, len(counts) - 1).astype(int)
    assert counts[:, 0].nonzero().flatten().tolist() == exact.tolist()
    with np.errstate(over="ignore"):
        assert np.isinf(times * np.float16(60_000)).tolist() == [False, True, True, True]  # what arithmetic in float16 would give


def test_published_times_stay_in_half_precision(tmp_path: Path) -> None:
    times = np.array([0.05, 0.7, 1.2, 1.0595], np.float16)
    times.sort()
    write(tmp_path / "a.h5", [times], [[0, 5, 10, 15]], [0], [0])
    (published,), (exact,) = (read_spike_file(tmp_path / "a.h5", half_precision=half).counts for half in (True, False))
    steps = (np.float16(1000) * times - np.float16(1000) * times[0]) // np.float16(10)
    assert published.nonzero()[:, 0].tolist() == np.minimum(steps, len(published) - 1).astype(int).tolist()
    assert published.sum() == exact.sum() == 4
    spread = np.sort(np.random.default_rng(0).uniform(0, 1.2, 5000)).astype(np.float16)
    counts = [count_spikes(spread.astype(np.float64), np.zeros(5000, np.int64), half_precision=half)[:, 0].int() for half in (True, False)]
    assert 0.005 < (counts[0] - counts[1]).abs().sum() / 2 / 5000 < 0.04


def test_the_clips_for_testing_choose_only_where_asked(folder: Path) -> None:
    train, valid, test = shd(folder, held_out="test")
    assert [len(part) for part in (train, valid, test)] == [100, 8, 8]
    assert torch.equal(valid.y, test.y)


def test_shd_takes_a_fifth_of_the_training_file_for_validation(folder: Path) -> None:
    train, valid, test = shd(folder)
    assert [len(part) for part in (train, valid, test)] == [80, 20, 8]
    assert train.labels == tuple(WORDS)
    everything = read_spike_file(folder / "shd" / "shd_train.h5")
    order = {tuple(x.flatten().tolist()): i for i, x in enumerate(everything.counts)}
    parts = [[order[tuple(x.flatten().tolist())] for x in part.x] for part in (train, valid)]
    assert sorted(parts[0] + parts[1]) == list(range(100))
    for part, rows in zip((train, valid), parts, strict=True):
        assert torch.equal(part.y, everything.word[rows])
    assert torch.equal(shd(folder, seed=0).valid.y, valid.y)
    assert not torch.equal(shd(folder, seed=1).valid.y, valid.y)
    assert torch.equal(shd(folder, seed=1).test.x[3], test.x[3])


@pytest.mark.parametrize("names", [["fünf", "acht", "neun"], np.char.encode(["fünf", "acht", "neun"], "utf-8")], ids=["ragged", "fixed"])
def test_names_beyond_ascii(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path / "a.h5", *GOOD)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["extra/keys"]
        file["extra/keys"] = names
    assert read_spike_file(tmp_path / "a.h5").words == ("fünf", "acht", "neun")


def test_a_speaker_can_be_left_out(folder: Path) -> None:
    speaker = read_spike_file(folder / "shd" / "shd_train.h5").speaker
    for seed, left_out in ((0, 0), (3, 3), (4, 0)):
        train, valid, _ = shd(folder, held_out="speaker", seed=seed)
        assert len(valid) == (speaker == left_out).sum()
        assert len(train) == (speaker != left_out).sum()


def test_batches_are_float_and_files_are_found_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_DATA", str(folder))
    data = shd(dt_ms=20.0, group=10).test
    assert data.x[0].dtype == torch.uint8
    batch = next(iter(loader(data, 4)))
    assert batch.x.dtype == torch.float32
    assert batch.x.shape[2] == data.channels == 70
    assert torch.equal(batch.x[0][batch.valid[0]], data.x[0].float())


def test_ssc_has_three_files(tmp_path: Path) -> None:
    for part, count in (("train", 9), ("valid", 6), ("test", 3)):
        write(tmp_path / f"ssc_{part}.h5", *clips(count, count))
    assert [len(part) for part in ssc(tmp_path)] == [9, 6, 3]
    (tmp_path / "ssc_valid.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"found no ssc_valid\.h5.*dendrix fetch ssc"):
        ssc(tmp_path)
    write(tmp_path / "ssc_valid.h5", *clips(6, 6), words=["null", "one", "zero"])
    with pytest.raises(ValueError, match=r"ssc_valid\.h5: expected the classes of ssc_train\.h5"):
        ssc(tmp_path)


GOOD = ([[0.1, 0.2], [0.3]], [[1, 2], [3]], [0, 2], [5, 6])


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (0, [[0.2, 0.1], [0.3]], r"clip 0: expected ascending times, got an earlier one at spike 1"),
        (0, [[0.1, 0.2], [-0.5]], r"clip 1: expected times of 0 to 60 s, got -0.5"),
        (0, [[0.1, np.inf], [0.3]], r"clip 0: expected times of 0 to 60 s, got 0\.0999\d* to inf"),
        (0, [[100.0, 2000.0], [0.3]], r"clip 0: expected times .* Give them in seconds"),
        (0, [[0.1], [0.3]], r"clip 0: expected a unit for each time, got 1 times and 2 units"),
        (0, [[0.1, 0.2]], r"the same number of clips, got 1 and 2"),
        (1, [[1, 2], [700]], r"clip 1: expected units 0 to 699, got 700"),
        (2, [0, 3], r"expected labels 0 to 2, got 0 to 3"),
        (2, [0], r"for each clip, got \[1, 2\] of them"),
        (3, [1, 2, 3], r"for each clip, got \[2, 3\] of them"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, place: int, value: list, complaint: str) -> None:
    path = tmp_path / "a.h5"
    write(path, *GOOD)
    assert len(read_spike_file(path).counts) == 2
    write(path, *(value if i == place else good for i, good in enumerate(GOOD)))
    with pytest.raises(ValueError, match=complaint) as error:
        read_spike_file(path)
    assert "\n" not in str(error.value)


def test_classes_without_names_are_called_by_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", *GOOD)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        classes = int(file["labels"][()].max()) + 1
        del file["extra"]
    found = read_spike_file(tmp_path / "a.h5")
    assert found.words == tuple(map(str, range(classes)))
    assert found.speaker is None


@pytest.mark.parametrize("key", ["spikes/times", "spikes/units", "labels"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    write(tmp_path / "a.h5", *GOOD)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file[key]
    with pytest.raises(ValueError, match=f"but {key} is missing"):
        read_spike_file(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("labels", [0.0, 1.5], r"labels: expected a one-dimensional integer array, got float64 of shape \[2\]"),
        ("labels", [[0], [1]], r"labels: expected a one-dimensional integer array, got int64 of shape \[2, 1\]"),
        ("labels", 1, r"labels: expected a one-dimensional integer array, got int64 of shape \[\]"),
        ("labels", [-1, 1], r"expected labels 0 to 2, got -1 to 1"),
        ("extra/speaker", [b"x", b"y"], r"extra/speaker: expected a one-dimensional integer array, got \|S1"),
        ("extra/keys", [b"a", b"b", b"a"], r"expected distinct class names in extra/keys, got a, b, a"),
        ("extra/keys", b"zero", r"a\.h5: expected spikes in HDF5, but it cannot be read"),
        ("spikes/units", [[1.5, 2.0], [3.0, 4.0]], r"clip 0: spikes/units: expected a one-dimensional integer array, got float64"),
    ],
)
def test_values_of_another_kind_are_refused(tmp_path: Path, key: str, value: object, complaint: str) -> None:
    write(tmp_path / "a.h5", *GOOD)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file[key]
        file[key] = np.array(value)
    with pytest.raises(ValueError, match=complaint) as error:
        read_spike_file(tmp_path / "a.h5")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["spikes/times", "spikes/units", "labels", "extra/keys", "extra/speaker"])
def test_a_damaged_header_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.h5"
    write(path, *GOOD)
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file[key].id).addr
    content = path.read_bytes()
    path.write_bytes(content[:place] + bytes(byte ^ 0xFF for byte in content[place : place + 32]) + content[place + 32 :])
    with pytest.raises(ValueError, match=r"a\.h5: expected spikes in HDF5, but it cannot be read"):
        read_spike_file(path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shd_train.h5"
    write(path, *clips(40, 0))
    whole = path.read_bytes()
    for content in (b"", b"no HDF5 at all", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"shd_train\.h5: expected spikes in HDF5, but it cannot be read"):
            read_spike_file(path)
    with h5py.File(path, "w") as file:
        file["spikes/times"] = file["spikes/units"] = file["labels"] = np.zeros(3)
        file["extra/keys"] = np.zeros(3)
    with pytest.raises(ValueError, match="expected spikes in HDF5, but it cannot be read"):
        read_spike_file(path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.h5"):
        read_spike_file(tmp_path / "nothing.h5")
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(PermissionError, match=r"shd_train\.h5"):
            read_spike_file(path)


def test_settings_out_of_range_and_missing_speakers_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="divisor of the 700 units, got 3"):
        shd(folder, group=3)
    with pytest.raises(ValueError, match="dt_ms"):
        shd(folder, dt_ms=0.0)
    with pytest.raises(ValueError, match="held_out"):
        shd(folder, held_out="tset")  # type: ignore[arg-type]
    for speakers, got in ((None, 0), ([1] * 4, 1)):
        write(folder / "shd" / "shd_train.h5", *clips(4, 0)[:3], speakers)
        with pytest.raises(ValueError, match=f"at least two speakers in extra/speaker, got {got}"):
            shd(folder, held_out="speaker")


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[data\]"):
        shd(folder)
