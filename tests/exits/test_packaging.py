"""Public names of the packages, and the optional dependency."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ["dendrix.exits", "dendrix.convert"]


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_exist_and_shadow_no_module(name: str) -> None:
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    assert all(hasattr(package, member) for member in package.__all__)
    modules = {path.stem for path in Path(package.__path__[0]).iterdir()}
    assert not modules & set(package.__all__)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", PACKAGES)
def test_import_leaves_scipy_and_scikit_learn_out(name: str) -> None:
    assert run(f"import sys, {name}; print(sorted({{'scipy', 'sklearn'}} & set(sys.modules)))").strip() == "[]"


def test_absent_scipy_is_named_with_its_extra() -> None:
    code = """
import sys
sys.modules["scipy"] = None
import torch
from dendrix.errors import MissingExtraError
from dendrix.exits import ExitRecord, Guarantee, Pareto, fit, report
record = ExitRecord(torch.randn(300, 4, 3), torch.zeros(300, dtype=torch.int64))
policy = fit(record, "margin", Pareto())  # needs no statistics
for statistical in (lambda: fit(record, goal=Guarantee(0.5)), lambda: fit(record, per_step=True), lambda: report(policy, record)):
    try:
        statistical()
    except MissingExtraError as error:
        print(error)
"""
    told = "Fits and reports of exit rules need scipy, which is not installed: pip install dendrix[exits]."
    assert run(code).splitlines() == [told] * 3
