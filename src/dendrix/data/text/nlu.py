"""Sentence classification benchmarks: SST-2, SST-5, MR, Subj and TREC, one `label<TAB>sentence` per line.

Socher et al. (2013); Pang and Lee (2004, 2005); Li and Roth (2002): free for research. Tokenised; lower case except for TREC.
"""

from pathlib import Path
from typing import NamedTuple

from ...errors import InputError
from ..pack import data_root
from .archive import read_texts
from .sentences import Row, SentenceSplits, split_rows

_ARCHIVE = "nlu.tar.xz"


class _Task(NamedTuple):
    train: str
    valid: str | None
    test: str | None
    names: tuple[str, ...]
    """Names of the labels 0, 1, ..."""


_OPINIONS = ("negative", "positive")
TASKS = {
    "sst2": _Task("sst2_train", "sst2_valid", "sst2_test_public", _OPINIONS),
    "sst5": _Task("sst5_train", "sst5_valid", "sst5_test_public", ("very negative", "negative", "neutral", "positive", "very positive")),
    "mr": _Task("mr", None, None, _OPINIONS),
    "subj": _Task("subj", None, None, ("subjective", "objective")),
    "trec": _Task("trec_train", None, "trec_test", ("description", "entity", "abbreviation", "human", "location", "number")),
}
"""Files and classes of each task. SST contains whole sentences only, no phrases. The files of TREC have class numbers only; the names were
assigned by the number of questions per class."""


def nlu(task: str, root: str | Path | None = None, fold: int = 0) -> SentenceSplits:
    """Read a task in its standard splits. Missing splits (all of them for MR and Subj) are folds of the training sentences.

    Args:
        task: a key of `TASKS`.
        root: folder with `nlu.tar.xz` or with a folder `nlu` that contains it; None takes the folder named by the environment variable
            DENDRIX_DATA.
        fold: which tenth of the sentences is held out, 0 to 9; see `split_rows`.
    Raises:
        FileNotFoundError: no folder is given, or it lacks the archive.
        InputError: the archive is damaged, or `fold` is out of range.
    """
    base = data_root(root, task, f"Get {_ARCHIVE}")
    path = next((place / _ARCHIVE for place in (base, base / "nlu") if (place / _ARCHIVE).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{task}: expected {_ARCHIVE} in {base}, but it does not exist. Check the path or DENDRIX_DATA.")
    about = TASKS[task]
    files = [name and f"{name}.tsv" for name in about[:3]]
    texts = read_texts(path, f"the sentences of {task}", [name for name in files if name])
    try:
        train, valid, test = (None if name is None else _rows(texts[name], name) for name in files)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected the sentences of {task}, but they cannot be read ({error}). Copy it again.") from error
    return split_rows(train or [], valid, test, fold=fold, names={str(i): name for i, name in enumerate(about.names)})


def _rows(text: bytes, name: str) -> list[Row]:
    lines = text.decode().removesuffix("\n").split("\n")
    parted = [line.partition("\t") for line in lines]
    return [Row(text, label, f"{name}, line {number}") for number, (label, _, text) in enumerate(parted, 1)]
