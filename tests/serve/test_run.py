"""Settings with which a server does not start."""

import os
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from dendrix.serve.run import serve_run


@pytest.mark.parametrize("count", [-1, 0, 4 * (os.cpu_count() or 1) + 1, 2**70])
def test_impossible_numbers_of_workers_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers: expected"):
        serve_run(tmp_path, "127.0.0.1", 0, workers=count)
