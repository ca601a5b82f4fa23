"""The documentation site: every page is in a table of contents, every public name in the reference, and it builds without a warning."""

import importlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
import zlib
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urldefrag

import pytest

import dendrix

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).with_suffix("").as_posix() for kind in ("md", "rst") for path in DOCS.rglob(f"*.{kind}")}
PAGES = {page for page in PAGES if not page.startswith("_build")}
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```|^\.\. toctree::\n((?:(?: [^\n]*)?\n)*)", re.MULTILINE | re.DOTALL)
# The command line has a page of another kind, kernels are found automatically, and compilation is internal.
UNLISTED = {"dendrix.cli", "dendrix.kernels", "dendrix.compiled"}


def children(page: str) -> set[str]:
    """Pages in the tables of contents of a page."""
    path = next(file for kind in (".md", ".rst") if (file := DOCS / f"{page}{kind}").exists())
    entries = [line.strip() for block in TOCTREE.findall(path.read_text()) for line in "".join(block).splitlines()]
    names = [os.path.normpath(os.path.join(os.path.dirname(page), entry)) for entry in entries if entry and not entry.startswith(":")]
    return {
        found
        for name in names
        for found in (PAGES if "*" in name else {name})
        if fnmatch(found, name) and found.count("/") == name.count("/")
    }


def test_every_page_is_in_a_table_of_contents() -> None:
    found, todo = {"index"}, ["index"]
    while todo:
        new = children(todo.pop()) - found
        assert new <= PAGES
        found |= new
        todo += new
    assert found == PAGES


def packages(module: ModuleType) -> list[ModuleType]:
    """A package and those below it that have public names."""
    names = [info.name for info in pkgutil.iter_modules(getattr(module, "__path__", [])) if info.ispkg]
    below = [found for name in names for found in packages(importlib.import_module(f"{module.__name__}.{name}"))]
    return [module, *below] if getattr(module, "__all__", None) else below


def documented() -> list[ModuleType]:
    parts = [part for name in dendrix.__all__ if isinstance(part := getattr(dendrix, name), ModuleType)]
    return list({module.__name__: module for part in (dendrix, *parts) for module in [part, *packages(part)]}.values())


def test_every_public_name_is_in_the_reference() -> None:
    """The directive documents each name of `__all__`."""
    text = "".join(path.read_text() for path in (DOCS / "reference").glob("*.rst"))
    pages = set(re.findall(r"^\.\. public-names:: (\S+)$", text, re.MULTILINE))
    assert {module.__name__ for module in documented()} - UNLISTED == pages


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("A |b| * c, with `x [B, T]` and `LIF`.", r"A \|b\| \* c, with ``x [B, T]`` and `LIF`."),
        ("h = decay * v + x\ns = [h >= 1]", "::\n\n    h = decay * v + x\n    s = [h >= 1]"),
        ("An example:\n\n    a_ = 1  # code", "An example:\n\n::\n\n    a_ = 1  # code"),
        ("Args:\n    x: a * b, [B,\n        T].\nSource: ours.", "Args:\n    x: a \\* b, [B,\n        T].\n\n:Source: ours."),
        ("- one\n  more\n- two", "- one\n  more\n- two"),
    ],
)
def test_docstrings_become_restructured_text(docstring: str, expected: str) -> None:
    assert "\n".join(loaded("docstrings").restructured(docstring.split("\n"))).strip() == expected


class Targets(HTMLParser):
    """Links, resources and anchors of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values["id"] or ""} if "id" in values else set()
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        if tag in ("script", "img") and values.get("src"):
            self.resources.append(values["src"] or "")
        if tag == "link" and values.get("rel") == "stylesheet":
            self.resources.append(values["href"] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="needs sphinx: make docs, or pip install dendrix[docs]")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "-d", str(out / "doctrees"), str(DOCS), str(out / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.mark.extended
@pytest.mark.timeout(3600)
def test_the_site_builds_without_a_warning_and_has_every_name(site: Path) -> None:
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    entries = {line.split(" ")[0] for line in inventory.splitlines() if " py:" in line}
    short = {entry.rpartition(".")[2] for entry in entries}
    for module in (module for module in documented() if module.__name__ not in UNLISTED):
        names = (
            {name for name in module.__all__ if not isinstance(getattr(module, name), ModuleType)} if hasattr(module, "__all__") else set()
        )
        assert names <= short, module.__name__


@pytest.mark.extended
@pytest.mark.timeout(3600)
def test_internal_links_lead_somewhere_and_nothing_needs_a_network(site: Path) -> None:
    pages = {page: Targets(page) for page in site.rglob("*.html")}
    # Pages of source code link back by one name per module, which is wrong for those whose objects have entries in two packages.
    checked = {page: found for page, found in pages.items() if "_modules" not in page.parts}
    broken = []
    for page, found in checked.items():
        assert not [source for source in found.resources if source.startswith(("http", "//"))], page
        for link in found.links:
            path, anchor = urldefrag(unquote(link))
            target = (page.parent / path).resolve() if path else page
            if re.match(r"[a-z]+:", link) or anchor in ("", "top"):
                broken += [] if re.match(r"[a-z]+:", link) or target.exists() else [(page.name, link)]
            elif target.suffix == ".html" and (target not in pages or anchor not in pages[target].anchors):
                broken.append((page.name, link))
    assert not broken
