"""scipy is loaded where it is needed, and its absence names the extra."""

import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_leaves_scipy_and_scikit_learn_out() -> None:
    code = "import sys, dendrix.exits, dendrix.convert; print(sorted({'scipy', 'sklearn'} & set(sys.modules)))"
    assert run(code).strip() == "[]"


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
