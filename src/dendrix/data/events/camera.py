"""Event files of Prophesee cameras: RAW in EVT 2, 2.1 or 3, and HDF5. The only module that imports evlib.

DAT, the format before RAW, is refused: no well-kept reader of it has a permissive licence.
"""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import InputError, MissingExtraError

SUFFIXES = (".raw", ".h5", ".hdf5")


def read_camera_file(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Read the events of a file.

    Args:
        path: file to read.
    Returns:
        t, in microseconds, x, y and p, each [N], in the order of time.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: it has another format or is damaged.
        MissingExtraError: evlib is not installed.
    """
    path.open("rb").close()  # a missing file, a folder or missing permission raises the specific OSError
    try:
        import evlib
    except ImportError as missing:
        raise MissingExtraError(
            f"{path}: reading files of Prophesee cameras needs evlib, which is not installed: pip install dendrix[events]."
        ) from missing
    try:
        table = evlib.load_events(str(path)).collect()
        time = table["t"].dt.total_microseconds().to_numpy()
        return time, table["x"].to_numpy(), table["y"].to_numpy(), table["polarity"].to_numpy()
    except Exception as error:  # a damaged file raises errors of any kind
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: expected events of a camera in RAW or HDF5, but they cannot be read ({reason}). Copy it again."
        ) from error
