"""Compiled loops on disk: found by content, by every process that needs them; where they cannot be kept they run all the same."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dendrix import compiled

LOOP = """
twice = None

def total(x):
    found = 0.0
    for value in x:
        found += twice(value)
    return found
"""
HELPER = """
def plain(x):
    return {} * x
"""
CODE = """
import sys, tempfile
if "no home" in sys.argv:
    import pathlib
    def homeless(path):
        raise RuntimeError("Could not determine home directory.")
    pathlib.Path.expanduser = homeless
if "full" in sys.argv:
    def full(*_, **__):
        raise OSError(28, "No space left on device")
    tempfile.mkstemp = full
import helper, loops
import numpy as np
from dendrix.compiled import compiled, watched_compilation
loops.twice, names = compiled(helper.plain), []
with watched_compilation(names.append):
    print(compiled(loops.total)(np.ones(5)), compiled(helper.plain)(2.5), *names, "torch" in sys.modules)
"""
JIT = re.compile(r"\b(n?jit|vectorize|guvectorize|cfunc)\(")
WARNING = "Compiled kernels cannot be kept on disk"


def start(folder: Path, cache: Path, *words: str, factor: int = 2, **variables: str) -> subprocess.Popen[str]:
    """A process that compiles two loops, one a part of the other as well, of modules in `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "loops.py").write_text(LOOP)
    (folder / "helper.py").write_text(HELPER.format(factor))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "DENDRIX_CACHE": str(cache), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", CODE, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(*arguments: Any, factor: int = 2, **variables: Any) -> tuple[str, str]:
    """What such a process prints to stdout and stderr."""
    process = start(*arguments, factor=factor, **variables)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


COMPILED, FOUND = "10.0 5.0 total plain False\n", "10.0 5.0 False\n"


@pytest.mark.parametrize("trouble", ["full", "no folder", "no home"])
def test_loops_run_where_none_can_be_kept(trouble: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    if trouble == "no folder":
        cache.write_text("a file where the folder should be")
    out, err = run(tmp_path / "a", cache, trouble)
    assert out == COMPILED
    assert err.count(WARNING) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "not ours"])
def test_damaged_files_are_replaced(damage: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run(tmp_path / "a", cache) == (COMPILED, "")
    files = sorted(cache.rglob("*.nbc"))
    assert len(files) == 2
    for path in files:
        content = path.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"empty": b"", "cut": content[:-1], "changed": flipped, "not ours": b"\x80\x04."}[damage])
    assert run(tmp_path / "a", cache) == (COMPILED, "")
    assert run(tmp_path / "a", cache) == (FOUND, "")


def test_another_folder_with_the_same_loops_finds_them(tmp_path: Path) -> None:
    run(tmp_path / "a", tmp_path / "cache")
    assert run(tmp_path / "b", tmp_path / "cache") == (FOUND, "")


def test_a_change_in_a_part_changes_the_loops_that_call_it(tmp_path: Path) -> None:
    run(tmp_path / "a", tmp_path / "cache")
    assert run(tmp_path / "a", tmp_path / "cache", factor=3) == ("15.0 7.5 total plain False\n", "")
    assert run(tmp_path / "a", tmp_path / "cache", factor=2) == (FOUND, "")


@pytest.mark.parametrize("variable", [{"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_machine_code_of_another_kind_is_another_file(variable: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "a", tmp_path / "cache")
    assert run(tmp_path / "a", tmp_path / "cache", **variable) == (COMPILED, "")
    assert run(tmp_path / "a", tmp_path / "cache") == (FOUND, "")
    assert run(tmp_path / "a", tmp_path / "cache", **variable) == (FOUND, "")


def test_processes_may_write_at_the_same_time(tmp_path: Path) -> None:
    """Each finds or compiles each loop, in any combination, as the others go on meanwhile."""
    together = [start(tmp_path / name, tmp_path / "cache") for name in "abc"]
    for process in together:
        assert re.fullmatch(r"10\.0 5\.0( total)?( plain)? False\n", process.communicate()[0])
    assert run(tmp_path / "d", tmp_path / "cache") == (FOUND, "")
    assert len(list((tmp_path / "cache" / "kernels").iterdir())) == 2


def test_files_that_no_process_has_used_for_long_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "kernels"
    folder.mkdir(parents=True)
    for name, days in (("old.nbc", 100), (".left.tmp", 100), ("new.nbc", 10), ("notes.txt", 100)):
        (folder / name).write_bytes(b"")
        then = (folder / name).stat().st_mtime - days * 86400
        os.utime(folder / name, (then, then))
    run(tmp_path / "a", tmp_path / "cache")
    assert {path.name for path in folder.iterdir() if "-" not in path.name} == {"new.nbc", "notes.txt"}


def test_without_compilation_loops_are_plain_functions(tmp_path: Path) -> None:
    assert run(tmp_path / "a", tmp_path / "cache", NUMBA_DISABLE_JIT="1") == (FOUND, "")
    assert not (tmp_path / "cache").exists()


def test_every_loop_has_this_cache() -> None:
    """All loops of dendrix are compiled by `cached_jit`."""
    source = Path(compiled.__file__).parent.parent
    others = [path for path in source.rglob("*.py") if path.parent != source / "compiled" and JIT.search(path.read_text())]
    assert not others
    assert JIT.search((source / "compiled" / "__init__.py").read_text())
