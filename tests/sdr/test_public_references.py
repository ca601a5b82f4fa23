"""The 25 public reference numbers, in every backend that can afford them, to 1e-12."""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dendrix.sdr import false_negative, false_positive, set_false_positive, union_false_positive, union_size
from support.paths import FIXTURES

RECORDS = json.loads((FIXTURES / "sdr_public_refs.json").read_text())
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "fp": false_positive,
    "fn_swap": false_negative,
    "set_fp": set_false_positive,
    "union_expected_bits": union_size,
    "union_fp_plugin_round": partial(union_false_positive, mode="plugin_round"),
    "union_fp_exact": union_false_positive,
}


def test_there_are_25() -> None:
    assert len(RECORDS) == 25


@pytest.mark.parametrize("backend", ["float64", "exact", "mpmath"])
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_reference(record: dict[str, Any], backend: str) -> None:
    function = FUNCTIONS[record["quantity"]]
    inputs = {name.replace("M", "m"): value for name, value in record["inputs"].items()}
    if backend == "exact" and inputs.get("m", 0) > 1000:
        with pytest.raises(ValueError, match="Choose another backend"):
            function(**inputs, backend=backend)
        return
    assert float(function(**inputs, backend=backend)) == pytest.approx(float(record["value"]), rel=1e-12, abs=0)
    log10 = float(function(**inputs, backend=backend, log=True)) / math.log(10)
    assert log10 == pytest.approx(float(record["log10"]), rel=0, abs=1e-12)
    if backend == "exact" and "exact" in record:
        p, q = record["exact"].split("/")
        assert function(**inputs, backend=backend).as_integer_ratio() == (int(p), int(q))
