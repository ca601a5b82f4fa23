"""The directive `public-names`, which documents every name in the `__all__` of a package or module."""

import ast
import inspect
from importlib import import_module
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import dendrix
from docstrings import restructured

MEMBERS = """\
   :members:
   :undoc-members:
   :show-inheritance:
"""


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True}


def public_names(module: ModuleType) -> list[str]:
    """The names of `__all__`, or those that a module without it defines; modules are left out, they have pages of their own."""
    defined = [name for name, value in vars(module).items() if getattr(value, "__module__", module.__name__) == module.__name__]
    names = getattr(module, "__all__", [name for name in defined if not name.startswith("_") and defined_here(module, name)])
    return sorted((name for name in names if not isinstance(getattr(module, name), ModuleType)), key=str.lower)


def defined_here(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    return name.isupper() if not callable(value) else value.__module__ == module.__name__


class PublicNames(SphinxDirective):
    """`.. public-names:: dendrix.layers`: a table of the names, then an entry for each, in reStructuredText."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = import_module(self.arguments[0])
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(page(module).splitlines(), source=module.__file__ or ""), 0, section, match_titles=True)
        return section.children


def home(module: ModuleType, name: str) -> str:
    """The full name under which an object has its entry: in the part that defines it, if that part exports it.

    `dendrix.exchange.NIRNeuron` has its entry as `dendrix.neurons.NIRNeuron`.
    """
    value = getattr(module, name)
    part = ".".join(getattr(value, "__module__", module.__name__).split(".")[:2])
    if (
        part.removeprefix("dendrix.") in dendrix.__all__
        and getattr(import_module(part), name, None) is value
        and name in public_names(import_module(part))
    ):
        return f"{part}.{name}"
    return f"{module.__name__}.{name}"


def page(module: ModuleType) -> str:
    homes = {name: home(module, name) for name in public_names(module)}
    own = [name for name in homes if homes[name] == f"{module.__name__}.{name}"]
    others = [f"~{homes[name]}" for name in homes if name not in own]
    parts = [
        f".. automodule:: {module.__name__}\n",
        table([name for name in own if has_docstring(getattr(module, name))]),
        *(entry(module, name) for name in own),
        ".. py:currentmodule:: None\n",
        f".. rubric:: Also here\n\n{table(others)}" if own and others else table(others),
    ]
    return "\n".join(parts)


def table(names: list[str]) -> str:
    return ".. autosummary::\n   :nosignatures:\n\n" + "".join(f"   {name}\n" for name in names) if names else ""


def has_docstring(value: object) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def entry(module: ModuleType, name: str) -> str:
    value, full = getattr(module, name), f"{module.__name__}.{name}"
    if inspect.isclass(value):
        return f".. autoclass:: {full}\n{MEMBERS}"
    if inspect.isfunction(value):
        return f".. autofunction:: {full}\n"
    text = "\n".join(f"   {line}" for line in restructured(documentation(module, name)))
    return f".. py:data:: {full}\n\n{text}\n"


def documentation(module: ModuleType, name: str) -> list[str]:
    """The string below the assignment of a constant, from the module that a package imports it from."""
    analyzer = ModuleAnalyzer.for_module(module.__name__)
    found = analyzer.find_attr_docs().get(("", name))
    if found:
        return found
    for source in imported_from(module, name):
        return documentation(source, name)
    return []


def imported_from(module: ModuleType, name: str) -> list[ModuleType]:
    tree = ast.parse(inspect.getsource(module))
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    return [
        import_module("." * node.level + (node.module or ""), package)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.asname or alias.name for alias in node.names}
    ]
