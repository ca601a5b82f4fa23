"""Numbers that are pushed into an exported network: what is not whole or does not fit 16 bits would change in silence."""

from pathlib import Path

import numpy as np
import pytest

from dendrix.deploy import export_npz, quantise
from dendrix.errors import InputError
from support.integer_networks import deployed, frames, network


@pytest.mark.parametrize(
    "clip",
    [
        *(np.full(12, value) for value in (np.nan, np.inf, 0.5, 32768, -32769, 2**63, 1j, "1", None)),
        np.ones((2, 6), np.int64),
        np.int64(3),
        np.full(12, 2**64 - 1, np.uint64),
    ],
    ids=str,
)
def test_others_are_refused(clip: np.ndarray, tmp_path: Path) -> None:
    made = deployed(quantise(network(), [frames()]))
    with pytest.raises(InputError, match="values: expected whole numbers of 16 bits"):
        made.totals(clip)
    with pytest.raises(InputError, match="clips, item 1: expected whole numbers of 16 bits"):
        export_npz(made, tmp_path / "net", [np.ones(12, np.int64), clip])
    assert not list(tmp_path.iterdir())


def test_whole_numbers_of_any_type_are_the_same(tmp_path: Path) -> None:
    made = deployed(quantise(network(), [frames()]))
    clip = np.arange(-30, 30)
    for same in (clip.astype(np.int8), clip.astype(np.float32), clip.tolist(), clip.astype(">i2")):
        assert np.array_equal(made.totals(same), made.totals(clip))
    with pytest.raises(InputError, match="clips, item 0: expected at least one number"):
        export_npz(made, tmp_path / "net", [[]])
