"""Links to the reference: from names in docstrings and annotations, and from code such as `DelayLinear` on any page."""

import os
from collections import Counter
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

import dendrix
from public_names import home, public_names

INCLUDED = {
    "benchmarks/events.md": "explanation/benchmarks-events.md",
    "benchmarks/results.md": "explanation/benchmarks.md",
    **{f"src/dendrix/pretrained/{name}/README.md": "explanation/model-cards.md" for name in ("cifar10", "commands", "fsdd", "novels")},
    "SECURITY.md": "explanation/security.md",
}
"""Pages of the site that include a file from elsewhere in the repository."""


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", links_to_included)
    app.connect("missing-reference", missing_reference)
    app.add_post_transform(CodeLinks)
    return {"parallel_read_safe": True}


def links_to_included(_app: Any, name: str, source: list[str]) -> None:
    """Let links to files outside of the docs, which work in the repository, lead to the pages that include them."""
    folder = os.path.dirname(name)
    for file, page in INCLUDED.items():
        source[0] = source[0].replace(f"]({os.path.relpath('../' + file, folder or '.')}", f"]({os.path.relpath(page, folder or '.')}")


@cache
def parts() -> list[ModuleType]:
    """The modules with a page in the reference."""
    found = [import_module(f"dendrix.{name}") for name in dendrix.__all__ if isinstance(getattr(dendrix, name), ModuleType)]
    return [*found, import_module("dendrix.models.spikegpt"), import_module("dendrix.models.vision")]


@cache
def names() -> dict[str, str]:
    """Full names in the reference, by every other name: short if that is unique or is available from the top, and the defining module's."""
    found = [(part, name, home(part, name)) for part in (dendrix, *parts()) for name in public_names(part)]
    short = Counter(full.rpartition(".")[2] for full in {full for _, _, full in found})
    other: dict[str, str] = {}
    for part, name, full in reversed(found):  # those from the top come last, and so win
        value = getattr(part, name)
        defined = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', name)}"
        other |= {full: full, f"{part.__name__}.{name}": full, f"{part.__name__}.{name}".removeprefix("dendrix."): full, defined: full}
        if short[name] == 1 or part is dendrix:
            other[name] = full
    return other | {part.__name__: part.__name__ for part in parts()}


def missing_reference(app: Any, _env: Any, node: Any, content: Any) -> Any:
    """Resolve other names of public objects. Private ones of dendrix and those of other libraries become plain code, without a warning."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    if found := entry(app, node["refdoc"], target, content):
        return found
    public = target.startswith("dendrix.") and target.count(".") < 3
    return None if public and node.get("reftype") != "obj" else content


def entry(app: Any, page: str, name: str, content: Any) -> Any:
    """A link to the entry of a name, None if there is none."""
    full = names().get(name, "")
    found = app.env.domains["py"].objects.get(full)
    return found and make_refnode(app.builder, page, found.docname, found.node_id, content, full)


class CodeLinks(SphinxPostTransform):
    """Links inline code that is the name of a public class, or a full name, to its entry."""

    default_priority = 20
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for node in list(self.document.findall(nodes.literal)):
            name = node.astext().removesuffix("()")
            if not ("." in name or name[:1].isupper()) or inside_link(node):
                continue
            if link := entry(self.app, self.env.docname, name, node.deepcopy()):
                node.replace_self(link)


def inside_link(node: nodes.Node) -> bool:
    while node := node.parent:
        if isinstance(node, nodes.title | nodes.reference):
            return True
    return False
