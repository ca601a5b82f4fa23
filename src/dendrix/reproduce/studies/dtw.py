"""Dynamic time warping of sequences of equal length, the classical recogniser of words by example."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def dtw_distances(template: NDArray[np.float32], others: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the distance of a template [T, C] to each of N sequences [T, C]: the mean cost of the cheapest path, [N].

    Steps go to the next frame of one sequence or of both; the cost of a pair of frames is their Euclidean distance.

    Source: Sakoe & Chiba (1978), IEEE Trans. ASSP 26, without a slope constraint; all sequences are computed side by side.
    """
    x = np.stack(others).astype(np.float64)
    cost = np.linalg.norm(template[None, :, None] - x[:, None], axis=-1)
    total = np.full((len(x), len(template) + 1, x.shape[1] + 1), np.inf)
    total[:, 0, 0] = 0
    for i in range(len(template)):
        for j in range(x.shape[1]):
            nearest = np.minimum(np.minimum(total[:, i, j + 1], total[:, i + 1, j]), total[:, i, j])
            total[:, i + 1, j + 1] = cost[:, i, j] + nearest
    return np.asarray(total[:, -1, -1] / (len(template) + x.shape[1]))
