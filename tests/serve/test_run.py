"""Settings with which a server does not start."""

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from dendrix.serve.limits import Limits
from dendrix.serve.run import serve_run

SETTINGS: dict[str, Any] = {"name": None, "weights": "float32", "token_file": None, "limits": Limits()}


@pytest.mark.parametrize("count", [-1, 0, 4 * (os.cpu_count() or 1) + 1, 2**70])
def test_impossible_numbers_of_workers_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers: expected"):
        serve_run(tmp_path, "127.0.0.1", 0, **SETTINGS, workers=count)


def test_an_empty_address_of_a_store_is_refused_and_not_taken_for_memory(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    with pytest.raises(ValueError, match="store: expected an address"):
        serve_run(tmp_path, "127.0.0.1", 0, **SETTINGS, store="")
