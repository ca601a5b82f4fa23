"""What is said of optional packages that are absent or broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dendrix.errors import MissingExtraError

NAMES = [("h5py", "h5py"), ("Pillow", "PIL"), ("scikit-learn", "sklearn"), (None, "fastapi"), ("scipy", "scipy.stats")]
BROKEN = [
    ("matplotlib", ModuleNotFoundError("No module named 'kiwisolver'", name="kiwisolver"), "matplotlib"),
    ("soundfile", OSError("sndfile library\nnot found"), "soundfile"),
    (None, ImportError("cannot import name 'a' from 'uvicorn'", name="uvicorn.config"), "uvicorn"),
    (None, ModuleNotFoundError("gone"), "a package"),
]


@pytest.mark.parametrize(("package", "module"), NAMES)
def test_an_absent_package_is_named_with_its_extra(package: str | None, module: str) -> None:
    found = MissingExtraError.of("This needs", package, "x", ModuleNotFoundError("No module", name=module))
    assert str(found) == f"This needs {package or module}, which is not installed: pip install dendrix[x]."


@pytest.mark.parametrize(("package", "error", "name"), BROKEN)
def test_a_broken_package_is_named_with_its_own_error(package: str | None, error: Exception, name: str) -> None:
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    expected = f"This needs {name}, which cannot be imported ({said}). Repair it: pip install dendrix[x]."
    assert str(MissingExtraError.of("This needs", package, "x", error)) == expected


COMMANDS = {
    "broken": (
        "uvicorn",
        "raise ImportError('libz')",
        "serve run",
        "Serving needs a package, which cannot be imported (ImportError: libz)",
    ),
    "incomplete": ("uvicorn", "import no_such_module", "serve run", "Serving needs no_such_module, which is not installed"),
    "library": (
        "soundfile",
        "raise OSError('no library')",
        "predict fsdd a.wav",
        "Reading audio needs soundfile, which cannot be imported",
    ),
    "absent": (
        "transformers",
        "raise ModuleNotFoundError(name='transformers')",
        "lm generate run",
        "transformers is not installed: pip install dendrix[lm].",
    ),
}


@pytest.mark.parametrize(
    ("module", "content", "words", "says"),
    [pytest.param(*case, id=name, marks=[pytest.mark.extended] * (name in ("incomplete", "library"))) for name, case in COMMANDS.items()],
)
def test_commands_say_it_in_one_sentence(tmp_path: Path, module: str, content: str, words: str, says: str) -> None:
    (tmp_path / f"{module}.py").write_text(content)
    (tmp_path / "run").mkdir()
    (tmp_path / "a.wav").write_bytes(b"fLaC not that it matters")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-m", "dendrix", *words.split()], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dendrix: {says}")
    assert done.stderr.count("\n") == 1
