"""Sources by name, to restore the data of a run record."""

from typing import Any

from ..core import expect_one_of
from ..core.foreign import foreign
from ..core.trust import Trust, trusted
from ..errors import InputError
from .continual.data import PermutedMnistData
from .image.data import CifarData, ImageFolderData, MnistData, PictureFolderData
from .own import ArrayData, MemoryData
from .recipe import DataSource
from .sentence.data import SentenceData
from .sequence.data import (
    CommandsData,
    DigitsData,
    FsddData,
    NmnistData,
    ShdData,
    SpeechCommandsData,
    SscData,
    WavFolderData,
)
from .text.data import TextData

SOURCES: dict[str, type[DataSource]] = {
    kind.name: kind
    for kind in (
        ArrayData,
        CifarData,
        CommandsData,
        DigitsData,
        FsddData,
        ImageFolderData,
        MemoryData,
        MnistData,
        NmnistData,
        PermutedMnistData,
        PictureFolderData,
        SentenceData,
        ShdData,
        SpeechCommandsData,
        SscData,
        TextData,
        WavFolderData,
    )
}


def source_from_dict(saved: dict[str, Any], trust: Trust = None) -> Any:
    """Return the source that `to_dict` described.

    Args:
        saved: description, with the name of the source under "name".
        trust: package or Python file whose sources may be imported.
    Raises:
        UntrustedError: the source is not part of dendrix, and its module is not trusted.
        InputError: no source has this name, or its fields have changed.
    """
    values = dict(saved)
    name = str(values.pop("name", ""))
    if ":" not in name:
        return SOURCES[expect_one_of(name, SOURCES, "data")].from_dict(values)
    kind: Any = trusted(name, trust)
    if not isinstance(kind, type) or not all(hasattr(kind, method) for method in ("load", "to_dict")):
        raise InputError(f"{name}: expected a class with load and to_dict, a source of data, got another. Was the record edited by hand?")
    with foreign(f"{name}: expected the fields that were saved", "Was the class changed?"):
        return kind.from_dict(values) if hasattr(kind, "from_dict") else kind(**values)
