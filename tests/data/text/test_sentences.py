"""Sentences from files: formats, splits, and what is wrong with them in one sentence with its line."""

import json
from pathlib import Path

import pytest

from dendrix.data.text.nlu import TASKS, nlu
from dendrix.data.text.sentences import own_sentences, read_rows

ROWS = [(f"sentence {i}", "good" if i % 3 else "bad") for i in range(30)]


def written(path: Path, rows: list[tuple[str, str]] = ROWS) -> Path:
    """Rows in the format of the suffix."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"label": label, "text": text}) + "\n" for text, label in rows))
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        path.write_text(f"text{mark}label\n" + "".join(f"{text}{mark}{label}\n" for text, label in rows))
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl"])
def test_formats_and_folds(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"all{suffix}")
    splits = own_sentences(path, fold=9)
    assert splits.test.texts == ("sentence 9", "sentence 19", "sentence 29")
    assert splits.valid.texts == ("sentence 0", "sentence 10", "sentence 20")
    assert len(splits.train) == 24
    assert splits.train.labels == ("bad", "good")
    assert splits.valid.y.tolist() == [0, 1, 1]
    tests = [text for fold in range(10) for text in own_sentences(path, fold=fold).test.texts]
    assert sorted(tests) == sorted(text for text, _ in ROWS)


def test_a_folder_with_its_own_splits(tmp_path: Path) -> None:
    written(tmp_path / "train.tsv")
    written(tmp_path / "dev.csv", [("other", "good")])
    splits = own_sentences(tmp_path)
    assert splits.valid.texts == ("other",)
    assert len(splits.test) == 3
    written(tmp_path / "test.jsonl", [("last", "bad")])
    splits = own_sentences(tmp_path)
    assert splits.test.y.tolist() == [0]
    assert len(splits.train) == 30


def test_quotes_belong_to_csv_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"one, ""two""",x\n')
    (tmp_path / "a.tsv").write_text('text\tlabel\n"one\tx\n')
    assert read_rows(tmp_path / "a.csv")[0].text == 'one, "two"'
    assert read_rows(tmp_path / "a.tsv")[0].text == '"one'


def test_labels_that_are_numbers_are_sorted_by_size(tmp_path: Path) -> None:
    rows = [(f"s {i}", str(i % 11)) for i in range(121)]
    assert own_sentences(written(tmp_path / "n.tsv", rows)).train.labels == tuple(map(str, range(11)))


def test_spaces_around_labels_make_no_class(tmp_path: Path) -> None:
    forms = {"good": ["good", "good ", "\u00a0good"], "café": ["café", "cafe\u0301", " café"]}
    rows = [(f"s {i}", forms[name][i % 3]) for i in range(30) for name in forms]
    for suffix in (".csv", ".tsv", ".jsonl", ".CSV"):
        path = written(tmp_path / f"labels{suffix.lower()}", rows)
        path = path.rename(tmp_path / f"labels{suffix}")
        with pytest.warns(UserWarning, match="labels have spaces around them.*'good '"):
            found = read_rows(path)
        assert {row.label for row in found} == {"good", "café"}


def test_whole_numbers_of_json_are_one_class_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1.0}\n{"text": 2.50, "label": 1}\n{"text": "c", "label": "1"}\n')
    assert [(row.text, row.label) for row in read_rows(tmp_path / "a.jsonl")] == [("a", "1"), ("2.5", "1"), ("c", "1")]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tsv", b"text\tlabel\nfine\tgood\n\xff\xfe\tbad\n", "a.tsv, line 3: expected UTF-8, got the byte 0xff"),
        ("a.tsv", b"phrase\tlabel\nfine\tgood\n", "line 2: expected the column 'text', got 'phrase', 'label'"),
        ("a.tsv", b"text\tlabel\nfine\n", "line 2: expected 2 columns"),
        ("a.tsv", b"text\tlabel\nfine\t \n", "line 2: expected a non-empty label"),
        ("a.csv", b'text,label\n"open,x\n', "expected a row of the table"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": \n', "line 2: expected JSON"),
        ("a.jsonl", b"[1]\n", "line 1: expected a JSON object, got list"),
        ("a.jsonl", b'{"text": "a"}\n', "line 1: expected the column 'label'"),
        ("a.jsonl", b'{"text": null, "label": 1}\n', "line 1: expected a non-empty text, got None"),
        ("a.tsv", b"text\tlabel\n", "expected sentences, got none"),
        ("a.tsv", b"", "expected sentences, got none"),
        ("a.txt", b"text", "expected a file in .tsv, .csv, .jsonl"),
        ("a.csv", b"text,label,text\na,b,c\n", "line 1: expected different names of columns, got 'text' twice"),
        ("a.tsv", b"label\ttext\tlabel\na\tb\tc\n", "got 'label' twice"),
        ("a.jsonl", b'{"text": "a", "label": 1, "text": "b"}\n', "'text' occurs twice"),
        ("a.jsonl", b'{"text": "a", "label": [1]}\n', "expected a non-empty label, got [1]"),
        ("a.jsonl", b"[" * 100_000, "line 1: expected JSON"),
    ],
)
def test_damaged_files_are_named_with_the_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.") as caught:
        own_sentences(tmp_path / name)
    assert says in str(caught.value)


def test_labels_that_the_training_never_saw(tmp_path: Path) -> None:
    written(tmp_path / "train.tsv")
    written(tmp_path / "valid.tsv", [("other", "good"), ("strange", "ugly")])
    with pytest.raises(ValueError, match=r"valid\.tsv, line 3: expected a label of the training split, 'bad', 'good', got 'ugly'"):
        own_sentences(tmp_path)


def test_one_class_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least two classes"):
        own_sentences(written(tmp_path / "one.tsv", [(f"s {i}", "same") for i in range(20)]))


def test_too_few_rows_for_a_split(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="valid: expected at least one sentence"):
        own_sentences(written(tmp_path / "few.tsv", [("a", "x"), ("b", "y")]), fold=0 + 1)
    with pytest.raises(ValueError, match="fold: expected 0 to 9"):
        own_sentences(written(tmp_path / "few.tsv"), fold=10)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train\.tsv"):
        own_sentences(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        own_sentences(tmp_path / "none.tsv")
    written(tmp_path / "train.tsv")
    written(tmp_path / "train.csv")
    with pytest.raises(ValueError, match="expected one file for train"):
        own_sentences(tmp_path)


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("sst2", (6920, 872, 909)),
        ("sst5", (8544, 1101, 1105)),
        ("trec", (4906, 546, 500)),
        ("mr", (7679, 960, 960)),
        ("subj", (7200, 900, 900)),
    ],
)
def test_published_tasks(shared: Path, task: str, sizes: tuple[int, int, int]) -> None:
    splits = nlu(task, shared / "data")
    assert tuple(map(len, splits)) == sizes
    assert splits.train.labels == TASKS[task].names
    assert all(int(split.y.max()) == len(splits.train.labels) - 1 for split in splits)


def test_published_tasks_are_as_counted(shared: Path) -> None:
    assert nlu("sst5", shared / "data").test.y.bincount().tolist() == [137, 311, 196, 251, 210]
    assert nlu("trec", shared / "data").test.y.bincount().tolist() == [138, 94, 9, 65, 81, 113]
    assert nlu("trec", shared / "data").valid.texts[0].startswith("How did serfdom")


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "nlu.tar.xz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="cannot be read"):
        nlu("mr", tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        nlu("mr", tmp_path / "..")
