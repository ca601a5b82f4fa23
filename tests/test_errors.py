"""What is said of optional packages that are absent or broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dendrix.errors import MissingExtraError


@pytest.mark.parametrize(
    ("package", "error", "message"),
    [
        ("h5py", ModuleNotFoundError("No module named 'h5py'", name="h5py"), "H needs h5py, which is not installed: pip install dendrix[x]."),
        ("Pillow", ModuleNotFoundError("", name="PIL"), "H needs Pillow, which is not installed: pip install dendrix[x]."),
        ("scikit-learn", ModuleNotFoundError("", name="sklearn"), "H needs scikit-learn, which is not installed: pip install dendrix[x]."),
        (None, ModuleNotFoundError("", name="fastapi"), "H needs fastapi, which is not installed: pip install dendrix[x]."),
        (None, ModuleNotFoundError("gone"), "H needs a package, which cannot be imported (ModuleNotFoundError: gone). Repair it: pip install dendrix[x]."),
        (
            "matplotlib",
            ModuleNotFoundError("No module named 'kiwisolver'", name="kiwisolver"),
            "H needs matplotlib, which cannot be imported (ModuleNotFoundError: No module named 'kiwisolver'). Repair it: pip install dendrix[x].",
        ),
        (
            None,
            ImportError("cannot import name 'a' from 'uvicorn'", name="uvicorn.config"),
            "H needs uvicorn, which cannot be imported (ImportError: cannot import name 'a' from 'uvicorn'). Repair it: pip install dendrix[x].",
        ),
        (
            "soundfile",
            OSError("sndfile library\nnot found"),
            "H needs soundfile, which cannot be imported (OSError: sndfile library not found). Repair it: pip install dendrix[x].",
        ),
    ],
)  # fmt: skip
def test_absent_and_broken_packages_are_told_apart(package: str | None, error: Exception, message: str) -> None:
    assert str(MissingExtraError.of("H needs", package, "x", error)) == message


@pytest.mark.parametrize(
    ("module", "content", "words", "says"),
    [
        ("uvicorn", "raise ImportError('libz.so: cannot open')", ["serve", "run"], "Serving needs a package, which cannot be imported (ImportError: libz.so: cannot open)"),
        ("uvicorn", "import nothing_of_this_name", ["serve", "run"], "Serving needs nothing_of_this_name, which is not installed"),
        ("soundfile", "raise OSError('sndfile library not found')", ["predict", "fsdd", "a.wav"], "Reading audio needs soundfile, which cannot be imported (OSError: sndfile"),
        ("transformers", "raise ModuleNotFoundError('none', name='transformers')", ["lm", "generate", "run"], "transformers is not installed: pip install dendrix[lm]."),
    ],
    ids=["broken", "incomplete", "library", "absent"],
)  # fmt: skip
def test_commands_say_it_in_one_sentence(tmp_path: Path, module: str, content: str, words: list[str], says: str) -> None:
    (tmp_path / f"{module}.py").write_text(content)
    (tmp_path / "run").mkdir()
    (tmp_path / "a.wav").write_bytes(b"fLaC not that it matters")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-m", "dendrix", *words], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dendrix: {says}")
    assert done.stderr.count("\n") == 1
