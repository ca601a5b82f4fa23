"""Development and CI install the same versions everywhere: what the dev extra needs, and what that brings, is pinned."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
OF_TORCH = re.compile(r"(triton|setuptools|nvidia-.*|cuda-.*)")
"""What a build of torch names in one exact version itself; which ones depends on the build."""


def needed(extra: str) -> set[str]:
    """The packages that `pip install -e .[extra]` installs here, by their normal names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {canonicalize_name(name): [*map(Requirement, lines)] for name, lines in project["optional-dependencies"].items()}
    todo = [*map(Requirement, project["dependencies"]), Requirement(f"dendrix[{extra}]")]
    found: set[tuple[str, str]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            found.add((name, extra))
            todo += extras.get(canonicalize_name(extra), []) if name == "dendrix" else brought(name, extra)
    return {name for name, _ in found} - {"dendrix"}


def brought(name: str, extra: str) -> list[Requirement]:
    """What an installed package requires, in general or for an extra."""
    requirements = map(Requirement, metadata.requires(name) or [])
    return [one.__class__(str(one).split(";")[0]) for one in requirements if one.marker is None or one.marker.evaluate({"extra": extra})]


@pytest.mark.parametrize("extra", ["dev", pytest.param("docs", marks=pytest.mark.extended)])
def test_everything_that_development_installs_is_pinned(extra: str) -> None:
    if extra == "docs":
        pytest.importorskip("sphinx", reason="needs sphinx: make docs, or pip install dendrix[docs]")
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = [canonicalize_name(Requirement(line).name) for line in lines]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert len(set(pinned)) == len(pinned)
    missing = needed(extra) - set(pinned)
    assert {name for name in missing if not OF_TORCH.fullmatch(name)} == set()
