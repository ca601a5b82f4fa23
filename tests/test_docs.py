"""Every Python and console snippet of the README and the docs runs, page by page, in order.

A snippet that begins with `# NAME.py` is written as that file.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dendrix.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPET = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


@pytest.mark.parametrize("page", [p for p in PAGES if SNIPPET.search(p.read_text())], ids=lambda p: p.stem)
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "snippet"}
    for language, code in SNIPPET.findall(page.read_text()):
        if language == "python" and (named := FILE.match(code)):
            Path(named[1]).write_text(code)
        elif language == "python":
            exec(compile(code, str(page), "exec"), names)
        else:
            for command in re.findall(r"^\$ (.*)", code, re.MULTILINE):
                run(command)


def run(command: str) -> None:
    """A command as it stands in the docs; what needs a shell gets one."""
    if command.startswith("dendrix ") and not set("|<>&;*") & set(command):
        assert main(shlex.split(command)[1:]) == 0, command
        return
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True, env={**os.environ, "PATH": found})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not broken
