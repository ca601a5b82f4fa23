import errno
import io
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.core import ACCUMULATIONS, accumulate
from dendrix.exits import ExitRecord

N, T, K = 5, 4, 3


@pytest.fixture
def record() -> ExitRecord:
    return ExitRecord(
        torch.randn(N, T, K),
        torch.tensor([0, 1, 2, 0, 1]),
        torch.tensor([4, 1, 3, 2, 4]),
        accumulation="mean",
        dt_ms=2.5,
        model="0123abcd",
    )


def write(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


def test_a_file_gives_the_record_back(record: ExitRecord, tmp_path: Path) -> None:
    for given in (record, ExitRecord(record.outputs)):
        given.save(tmp_path / "record.npz")
        found = ExitRecord.load(tmp_path / "record.npz")
        for field in fields(ExitRecord):
            value, back = getattr(given, field.name), getattr(found, field.name)
            assert torch.equal(value, back) if isinstance(value, torch.Tensor) else value == back


def test_evidence_is_what_accumulate_gives(record: ExitRecord) -> None:
    for accumulation in ACCUMULATIONS:
        found = replace(record, accumulation=accumulation).evidence()
        expected = accumulate(record.outputs, record.valid, accumulation)
        torch.testing.assert_close(found[record.valid], expected[record.valid])


def test_answers_stay_after_the_end(record: ExitRecord) -> None:
    expected = accumulate(record.outputs, record.valid, "mean").argmax(-1)
    assert torch.equal(record.answers(), expected)
    assert torch.equal(record.right(), expected == record.labels.unsqueeze(1))


def test_a_subset_keeps_what_belongs_together(record: ExitRecord) -> None:
    some = record.subset(torch.tensor([4, 1]))
    assert torch.equal(some.outputs, record.outputs[[4, 1]])
    assert (some.labels.tolist(), some.ends.tolist(), some.accumulation, some.model) == ([1, 1], [4, 1], "mean", "0123abcd")
    assert len(record.subset(record.labels == 0)) == 2


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int8", "uint16", "bool"])
def test_outputs_of_any_real_dtype_are_read(dtype: str, tmp_path: Path) -> None:
    outputs = np.random.default_rng(0).integers(0, 2, (N, T, K)).astype(dtype)
    record = ExitRecord.load(write(tmp_path / "record.npz", outputs=outputs, labels=np.zeros(N, "uint8"), lengths=np.full(N, T, ">i2")))
    assert record.outputs.dtype == torch.float32
    assert np.array_equal(record.outputs.numpy(), outputs.astype("float32"))
    assert (record.labels.dtype, record.lengths.dtype) == (torch.int64, torch.int64)


def test_other_arrays_are_left_alone(tmp_path: Path) -> None:
    assert len(ExitRecord.load(write(tmp_path / "record.npz", outputs=np.ones((N, T, K)), comment="mine", t=3))) == N


GOOD = np.ones((N, T, K), "float32")
BROKEN = GOOD.copy()
BROKEN[2, 1, 0] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(logits=GOOD), "expected an array 'outputs' [N, T, K], which is missing"),
        (dict(outputs=GOOD.astype(object)), "cannot be read"),
        (dict(outputs=GOOD.astype(complex)), "outputs: expected real numbers, got complex128"),
        (dict(outputs=GOOD.astype(str)), "outputs: expected real numbers, got <U32"),
        (dict(outputs=GOOD[0]), "outputs: expected [N, T, K], got [4, 3]"),
        (dict(outputs=GOOD[:0]), "outputs: expected [N, T, K], got [0, 4, 3]. Axis N is empty"),
        (dict(outputs=BROKEN), "outputs: expected finite numbers, got nan for input 2 at step 2"),
        (dict(outputs=GOOD.astype("float64") * 1e300), "outputs: expected finite numbers, got inf for input 0 at step 1"),
        (dict(outputs=GOOD, labels=np.zeros(N - 1, int)), "labels: expected [N=5], got [4]"),
        (dict(outputs=GOOD, labels=np.full(N, K)), "labels: expected whole numbers from -1 to 2, got 3 to 3"),
        (dict(outputs=GOOD, labels=np.full(N, -2)), "labels: expected whole numbers from -1 to 2, got -2 to -2"),
        (dict(outputs=GOOD, labels=np.zeros(N)), "labels: expected whole numbers, got float64"),
        (dict(outputs=GOOD, labels=np.eye(N, K, dtype=int)), "labels: expected [N=5], got [5, 3]"),
        (dict(outputs=GOOD, lengths=np.full(N, T + 1)), "lengths: expected whole numbers from 1 to 4, got 5 to 5"),
        (dict(outputs=GOOD, lengths=np.zeros(N, int)), "lengths: expected whole numbers from 1 to 4, got 0 to 0"),
        (
            dict(outputs=GOOD, accumulation="summ"),
            "accumulation: got 'summ'. Did you mean 'sum'? Expected one of last, max, mean, softmax-sum, sum",
        ),
        (dict(outputs=GOOD, accumulation=["sum", "sum"]), "accumulation: expected a single value, got an array of shape [2]"),
        (dict(outputs=GOOD, dt_ms=0.0), "dt_ms: expected a number in (0, inf), got 0.0"),
        (dict(outputs=GOOD, dt_ms=np.nan), "dt_ms: expected a number in (0, inf), got nan"),
        (dict(outputs=GOOD, dt_ms="ten"), "dt_ms: expected a number in (0, inf), got 'ten'"),
        (dict(outputs=GOOD, model=3), "model: expected a string, got 3"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(arrays: dict[str, object], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "record.npz", **arrays)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        ExitRecord.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_sentence(record: ExitRecord, tmp_path: Path) -> None:
    path = tmp_path / "record.npz"
    record.save(path)
    whole = path.read_bytes()
    middle = whole[:80] + bytes(byte ^ 0xFF for byte in whole[80:120]) + whole[120:]
    plain = io.BytesIO()
    np.save(plain, GOOD)
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:-30], middle, b"not an archive", plain.getvalue()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"expected an \.npz of recorded outputs, but it cannot be read") as caught:
            ExitRecord.load(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ExitRecord.load(tmp_path / "nowhere.npz")


def test_a_failed_save_leaves_the_old_file(record: ExitRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        record.save(path)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_nan_behind_the_end_is_no_output(record: ExitRecord) -> None:
    padded = record.outputs.masked_fill(~record.valid.unsqueeze(-1), torch.nan)
    assert torch.equal(replace(record, outputs=padded).right(), record.right())


def test_labels_are_asked_for_by_name(record: ExitRecord) -> None:
    with pytest.raises(ValueError, match="labels: expected the true class of every input, got none"):
        replace(record, labels=None).right()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_outputs_with_a_gradient_and_of_any_width_can_be_saved(dtype: torch.dtype, tmp_path: Path) -> None:
    outputs = torch.randn(N, T, K, requires_grad=True).to(dtype)
    record = ExitRecord(outputs)
    record.save(tmp_path / "record.npz")
    assert torch.equal(ExitRecord.load(tmp_path / "record.npz").outputs, outputs.detach().float())
    assert record.outputs.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert not record.outputs.requires_grad


def test_integers_in_memory_are_refused() -> None:
    with pytest.raises(TypeError, match="outputs: expected a floating dtype"):
        ExitRecord(torch.ones(N, T, K, dtype=torch.int64))


def test_groups_are_numbers_or_names(tmp_path: Path) -> None:
    named = ExitRecord.load(write(tmp_path / "a.npz", outputs=GOOD, groups=["b", "a", "b", "c", "a"], grouped_by="speaker"))
    assert named.groups is not None
    assert (named.groups.tolist(), named.grouped_by) == ([1, 0, 1, 2, 0], "speaker")
    named.save(tmp_path / "b.npz")
    again = ExitRecord.load(tmp_path / "b.npz")
    assert again.groups is not None
    assert again.groups.tolist() == [1, 0, 1, 2, 0]
    assert named.subset(torch.tensor([3, 0])).grouped("speaker").groups.tolist() == [1, 0]  # type: ignore[union-attr]
    classes = ExitRecord(torch.ones(3, 2, 3), torch.tensor([2, 0, 2])).grouped("class")
    assert classes.groups is not None
    assert (classes.groups.tolist(), classes.grouped_by) == ([1, 0, 1], "class")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 1, -1, -1, 2], "groups: expected the group of every input, got none for 2 of 5. Leave those inputs out."),
        (["a", "", "b", "b", "a"], "groups: expected the group of every input, got an empty name"),
        ([0.0, 1.0, float("nan"), 1.0, 2.0], "groups: expected whole numbers, got float64"),
        ([0, 1], "groups: expected [N=5], got [2]"),
    ],
)
def test_missing_groups_are_one_sentence(groups: list[object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ExitRecord.load(write(tmp_path / "record.npz", outputs=GOOD, groups=groups))
