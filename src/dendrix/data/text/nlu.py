"""Sentence classification as the literature has it: SST-2, SST-5, MR, Subj and TREC, one `label<TAB>sentence` per line.

Socher et al. (2013); Pang and Lee (2004, 2005); Li and Roth (2002): free for research. Tokenised, lower case but for TREC.
"""

import tarfile
from pathlib import Path
from typing import NamedTuple

from ...errors import InputError
from ..pack import data_root
from .sentences import Row, SentenceSplits, split_rows

_ARCHIVE = "nlu.tar.xz"


class _Task(NamedTuple):
    train: str
    valid: str | None
    test: str | None
    names: tuple[str, ...]
    """Of the labels 0, 1, and so on."""


_OPINIONS = ("negative", "positive")
TASKS = {
    "sst2": _Task("sst2_train", "sst2_valid", "sst2_test_public", _OPINIONS),
    "sst5": _Task("sst5_train", "sst5_valid", "sst5_test_public", ("very negative", "negative", "neutral", "positive", "very positive")),
    "mr": _Task("mr", None, None, _OPINIONS),
    "subj": _Task("subj", None, None, ("subjective", "objective")),
    "trec": _Task("trec_train", None, "trec_test", ("description", "entity", "abbreviation", "human", "location", "number")),
}
"""The files of each task. SST has sentences alone, no phrases; the names of TREC's classes follow from how many questions each has."""


def nlu(task: str, root: str | Path | None = None, fold: int = 0) -> SentenceSplits:
    """Read a task in its standard splits; what it has not, MR and Subj all of them, is one of ten folds.

    Args:
        task: a key of `TASKS`.
        root: where `nlu.tar.xz` lies, or the folder above its folder `nlu`; None takes the folder that DENDRIX_DATA names.
        fold: which tenth is cut out, 0 to 9.
    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged.
    """
    base = data_root(root, task, f"Get {_ARCHIVE}")
    path = next((place / _ARCHIVE for place in (base, base / "nlu") if (place / _ARCHIVE).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{task}: expected {_ARCHIVE} in {base}, but it is not there. Check the path or DENDRIX_DATA.")
    about = TASKS[task]
    try:
        with tarfile.open(path) as archive:
            train, valid, test = (None if name is None else _rows(archive, f"{name}.tsv") for name in about[:3])
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected the sentences of {task}, but they cannot be read ({error}). Fetch it again.") from error
    return split_rows(train or [], valid, test, fold=fold, names={str(i): name for i, name in enumerate(about.names)})


def _rows(archive: tarfile.TarFile, name: str) -> list[Row]:
    member = archive.extractfile(name)
    if member is None:
        raise InputError(f"{name} is no file")
    lines = member.read().decode().removesuffix("\n").split("\n")
    parted = [line.partition("\t") for line in lines]
    return [Row(text, label, f"{name}, line {number}") for number, (label, _, text) in enumerate(parted, 1)]
