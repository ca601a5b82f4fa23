"""Download of published data sets with checksums. The only module that imports pooch.

Files are downloaded only on request, and existing files are not downloaded again. A file gets its final name only when it is complete
and its checksum matches; an interrupted download is resumed by the next call.
"""

import hashlib
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import expect_one_of
from ..core.files import expect_folder
from ..errors import InputError, MissingExtraError
from ..progress import progress


@dataclass(frozen=True)
class Remote:
    """A published archive or file.

    Args:
        archive: file name.
        urls: addresses, tried in this order.
        checksum: "sha256:..." or, if only that is published, "md5:...".
        member: file or folder to extract from the archive; "" extracts everything, None keeps the archive as it is.
        target: path of the result, relative to the data folder.
    """

    archive: str
    urls: tuple[str, ...]
    checksum: str
    member: str | None
    target: str


def _heidelberg(part: str, md5: str) -> Remote:
    archive = f"{part}.h5.zip"
    urls = tuple(f"https://{host}/datasets/{archive}" for host in ("zenkelab.org", "compneuro.net"))
    return Remote(archive, urls, f"md5:{md5}", f"{part}.h5", f"{part.partition('_')[0]}/{part}.h5")


def _nmnist(part: str, number: str, md5: str) -> Remote:
    url = f"https://data.mendeley.com/public-files/datasets/468j46mzdv/files/{number}/file_downloaded"
    return Remote(f"{part}.zip", (url,), f"md5:{md5}", part, f"nmnist/{part}")


def _mnist(part: str, md5: str) -> Remote:
    archive = f"{part}-ubyte.gz"
    hosts = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
    return Remote(archive, tuple(f"{host}/{archive}" for host in hosts), f"md5:{md5}", None, f"mnist/{archive}")


REMOTES: dict[str, tuple[Remote, ...]] = {
    "shd": (
        _heidelberg("shd_train", "f3252aeb598ac776c1b526422d90eecb"),
        _heidelberg("shd_test", "1503a5064faa34311c398fb0a1ed0a6f"),
    ),
    "ssc": (
        _heidelberg("ssc_train", "d102be95e7144fcc0553d1f45ba94170"),
        _heidelberg("ssc_valid", "b4eee3516a4a90dd0c71a6ac23a8ae43"),
        _heidelberg("ssc_test", "a35ff1e9cffdd02a20eb850c17c37748"),
    ),
    "speech-commands": (
        Remote(
            "speech_commands_v0.02.tar.gz",
            (
                "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
                "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            ),
            "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            "",
            "speech_commands_v0.02",
        ),
    ),
    "nmnist": (
        _nmnist("Train", "39c25547-014b-4137-a934-9d29fa53c7a0", "20959b8e626244a1b502305a9e6e2031"),
        _nmnist("Test", "05a4d654-7e03-4c15-bdfa-9bb2bcbea494", "69ca8762b2fe404d9b9bad1103e97832"),
    ),
    "mnist": (
        _mnist("train-images-idx3", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        _mnist("train-labels-idx1", "d53e105ee54ea40749a09fcbcd1e9432"),
        _mnist("t10k-images-idx3", "9fb629c4189551a2d022fa330f9573f3"),
        _mnist("t10k-labels-idx1", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
}
"""Files of each data set that `fetch` can download. Sources of the checksums: tonic and SpikingJelly for the Heidelberg data sets and
N-MNIST, TensorFlow Datasets for the Speech Commands, torchvision for MNIST."""

ELSEWHERE = {"fsdd": "git clone https://github.com/Jakobovski/free-spoken-digit-dataset"}
"""Commands that obtain data sets without a published checksum, which `fetch` refuses."""


_BLOCK = 1 << 14
"""Bytes per write; an incomplete block is lost when the connection is interrupted."""
_PROBLEMS = {"ValueError": "wrong checksum", "ChunkedEncodingError": "connection interrupted", "ConnectionError": "no connection"}


def fetch(name: str, root: str | Path | None = None) -> list[Path]:
    """Download a data set into a data folder, unless it exists.

    Args:
        name: a key of `REMOTES`.
        root: data folder, created if necessary. None takes the folder named by the environment variable DENDRIX_DATA.
    Returns:
        paths of the parts of the data set; its reader finds them when it gets the same root.
    Raises:
        InputError: the name is unknown, no checksum is published for the data set, or an archive lacks the expected file or folder.
        FileNotFoundError: no folder is given.
        ConnectionError: no address delivered a file with the right checksum.
        OSError: the folder cannot be written, or the disk is full.
        MissingExtraError: pooch is not installed.
    """
    if name in ELSEWHERE:
        raise InputError(f"{name}: expected a data set with a published checksum, but it has none. Get it with: {ELSEWHERE[name]}")
    remotes = REMOTES[expect_one_of(name, REMOTES, "name")]
    root = root or os.environ.get("DENDRIX_DATA")
    if not root:
        raise FileNotFoundError(f"{name}: no data folder was given. Pass the folder to download into, or set DENDRIX_DATA to it.")
    folder = Path(root).expanduser()
    expect_folder(folder)
    return [fetch_archive(remote, folder) for remote in remotes]


def fetch_archive(remote: Remote, root: Path) -> Path:
    """Download and unpack one archive, unless its target exists; an archive found next to the target is not downloaded again.

    Args:
        remote: archive or file.
        root: data folder.
    Returns:
        path of the target.
    Raises:
        InputError, ConnectionError, OSError, MissingExtraError: as in `fetch`.
    """
    target = root / remote.target
    if target.exists():
        return target
    archive = target.parent / remote.archive
    own = not archive.exists()
    _download(remote, archive)
    if remote.member is None:
        return archive
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        unpacked = Path(folder, "all")
        _unpack(archive, unpacked)
        if not (unpacked / remote.member).exists():
            raise InputError(f"{archive}: expected an archive that contains {remote.member}, but it does not. Download it again.")
        (unpacked / remote.member).rename(target)
    if own:
        archive.unlink()
    return target


def _download(remote: Remote, archive: Path) -> None:
    pooch, failures = _pooch()
    problems = []
    for url in remote.urls:
        try:
            pooch.retrieve(url, remote.checksum, archive.name, archive.parent, downloader=_resuming(archive))
            for part in archive.parent.glob(f".{archive.name}.*.part"):  # of other addresses
                part.unlink()
            return
        except failures as error:
            problems.append(f"{url} ({_problem(error)})")
    raise ConnectionError(
        f"{remote.archive}: expected a download from one of {len(problems)} addresses, got {', '.join(problems)}. "
        f"Check the connection and repeat the command, which resumes the download, or copy the file to {archive}."
    )


def _resuming(archive: Path) -> Callable[[str, str, Any], None]:
    """Return a downloader for pooch that keeps the received bytes of each address in a hidden file and later requests only the rest."""
    import requests

    def download(url: str, output: str, _pooch: Any) -> None:
        part = archive.with_name(f".{archive.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")
        start = part.stat().st_size if part.exists() else 0
        asked = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with requests.get(url, headers=asked, stream=True, timeout=30) as response:
            if response.status_code != requests.codes.requested_range_not_satisfiable:  # otherwise the hidden file is complete
                response.raise_for_status()
                goes_on = response.status_code == requests.codes.partial_content
                size = int(response.headers.get("Content-Length", 0)) + goes_on * start
                with (
                    part.open("ab" if goes_on else "wb") as file,
                    progress(archive.name, size, done=goes_on * start, unit="B") as bar,
                ):
                    for block in response.iter_content(_BLOCK):
                        bar.advance(file.write(block))
        part.replace(output)

    return download


def _problem(error: Exception) -> str:
    """Return a short description of a failed download."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"status {response.status_code}"
    kind = type(error).__name__
    return _PROBLEMS.get(kind, kind)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{archive}: expected a zip or tar archive, but it cannot be unpacked ({error}). Download it again.") from error


def _pooch() -> tuple[Any, tuple[type[Exception], ...]]:
    """Return pooch and the errors after which the next address is tried; errors of the disk are not among them."""
    try:
        import pooch
        import requests
    except Exception as missing:
        raise MissingExtraError.of("Downloads need", None, "data", missing) from missing
    return pooch, (requests.RequestException, ValueError)
