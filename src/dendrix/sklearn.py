"""Spiking networks as scikit-learn classifiers. The only module that imports scikit-learn's base classes; needs the extra `train`."""

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from .checks import expect_count, expect_flag, expect_in
from .core.limits import expect_within
from .errors import InputError, InputTypeError, MissingExtraError
from .layers import Sequential, freeze
from .models import Decision
from .neurons import LI, LIF
from .train import fit

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except Exception as missing:
    raise MissingExtraError.of("SpikingClassifier needs", "scikit-learn", "train", missing) from missing

if TYPE_CHECKING:
    from .run_folder import RunRecord

__all__ = ["SpikingClassifier", "default_network"]

_HIDDEN = 64
_BATCH = 256
"""Inputs that are predicted at a time."""


def default_network(n_features: int, n_classes: int) -> Sequential:
    """A layer of 64 LIF neurons and a leaky read-out: inputs [B, T, n_features] to outputs [B, T, n_classes]."""
    return Sequential(nn.Linear(n_features, _HIDDEN), LIF(_HIDDEN), nn.Linear(_HIDDEN, n_classes), LI(n_classes))


class SpikingClassifier(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier that trains a spiking network with `dendrix.train.fit`.

    X is [N, T, C], sequences of one length; or [N, F], of which each row becomes a constant current: the same F values at each of `steps`
    time steps. Scale such features first, for instance with `StandardScaler`. Sample weights are not supported.

    Args:
        network: a function `network(n_features, n_classes)` that returns the network to train, a `Stateful` or any module from inputs
            [B, T, n_features] to outputs [B, T, n_classes] or [B, n_classes]; by default `default_network`.
        steps: T of the constant current; not used where X is [N, T, C].
        dt_ms: the length of a time step, in ms.
        epochs: passes over the training data.
        batch_size: items in one step of the optimiser.
        lr: peak of the learning rate.
        validation_fraction: share of each class that is held out to choose the epoch whose network is kept.
        folder: where to keep the run, which `dendrix report`, `evaluate` and the others then read. It must not exist, so fit once. None:
            a temporary folder, of which nothing is left.
        random_state: seed of the weights, order of the data and dropout: a seed, a `RandomState`, or None for another result at each fit.
        verbose: show the progress and warnings.
    Attributes:
        classes_: the classes, [K].
        n_features_in_: C or F.
        network_: the trained network, in evaluation mode and with integer delays.
        record_: what `run.json` of the run holds, a dict.
    """

    classes_: NDArray[Any]
    n_features_in_: int
    network_: nn.Module
    record_: "RunRecord"

    def __init__(
        self,
        network: Callable[[int, int], nn.Module] | None = None,
        *,
        steps: int = 20,
        dt_ms: float = 1.0,
        epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.01,
        validation_fraction: float = 0.1,
        folder: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.network = network
        self.steps = steps
        self.dt_ms = dt_ms
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.validation_fraction = validation_fraction
        self.folder = folder
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> "SpikingClassifier":
        """Train a new network; the random numbers of torch, numpy and Python stay as they were.

        Args:
            X: [N, T, C] or [N, F], finite.
            y: classes, [N].
        Raises:
            InputError, InputTypeError: a parameter is out of range, or the network does not fit the data; see `dendrix.train.fit`.
            ValueError: X and y do not fit together, as scikit-learn says it.
            FileExistsError: the folder exists.
            DivergedError: the loss, its gradient or a neuron's state is no longer finite.
        """
        expect_count(self.steps, "[1, inf)", "steps")
        share = float(expect_in(self.validation_fraction, "(0, 1)", "validation_fraction"))
        quiet = not expect_flag(self.verbose, "verbose")
        values, labels = validate_data(self, X, y, allow_nd=True, dtype=np.float32, ensure_min_samples=2)
        check_classification_targets(labels)
        self.n_features_in_ = values.shape[-1]  # scikit-learn takes the second axis, which is T in [N, T, C]
        self.classes_, classes = np.unique(labels, return_inverse=True)
        seed = int(check_random_state(self.random_state).randint(2**31))
        with _own_random_numbers(seed), _kept_or_temporary(self.folder) as folder:
            network = self._build()
            self.record_ = fit(
                network, (self._over_time(values), classes), share, folder=folder, labels=list(map(str, self.classes_)), dt_ms=self.dt_ms,
                epochs=self.epochs, batch_size=self.batch_size, lr=self.lr, seed=seed, quiet=quiet,
            )  # fmt: skip
        self.network_ = freeze(network)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of the classes, [N, K]: the softmax of the outputs' mean over time.

        Args:
            X: [N, T, C] or [N, F], finite.
        """
        check_is_fitted(self)
        decision, found = Decision(), []
        with torch.inference_mode():
            for x in torch.split(self._inputs(X), _BATCH):
                found.append(decision.confidence(decision.evidence(self.network_, x)[:, -1].double()))
        return torch.cat(found).numpy()

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each input, [N].

        Args:
            X: [N, T, C] or [N, F], finite.
        """
        best = self.predict_proba(X).argmax(1)
        guesses: NDArray[Any] = np.take(self.classes_, best)
        return guesses

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _build(self) -> nn.Module:
        make: Any = default_network if self.network is None else self.network
        if isinstance(make, nn.Module) or not callable(make):
            raise InputTypeError(
                f"network: expected a function network(n_features, n_classes) that returns a module, got {type(make).__name__}. "
                "Every fit trains a new network: pass what builds it."
            )
        network = make(self.n_features_in_, len(self.classes_))
        if not isinstance(network, nn.Module):
            raise InputTypeError(f"network: expected a function that returns a torch.nn.Module, got {type(network).__name__}. Return one.")
        return network

    def _inputs(self, X: ArrayLike) -> Tensor:
        """X of `predict` as [N, T, C], checked against that of `fit`."""
        if (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) != 3:
            return self._over_time(validate_data(self, X, reset=False, dtype=np.float32))
        values = np.asarray(X)
        frames = validate_data(self, values.reshape(-1, values.shape[2]), reset=False, dtype=np.float32)
        return self._over_time(frames.reshape(values.shape))

    def _over_time(self, values: NDArray[np.float32]) -> Tensor:
        """[N, T, C] as it is, and [N, F] as a constant current."""
        if values.ndim > 3:
            raise InputError(f"X: expected [N, F] or [N, T, C], got {list(values.shape)}. Flatten all other axes into channels.")
        x = torch.from_numpy(values)
        if x.dim() != 3:
            expect_within(self.steps * x.shape[1], "frame_values", f"steps: {self.steps:,} of {x.shape[1]} features")
        return x if x.dim() == 3 else x.unsqueeze(1).expand(-1, self.steps, -1)


@contextlib.contextmanager
def _kept_or_temporary(folder: str | Path | None) -> Iterator[Path]:
    """Yield the folder of the run, or a temporary one that is removed afterwards."""
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary) / "run"


@contextlib.contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seed torch for the weights, and restore the random states of torch, NumPy and Python afterwards; training seeds all three."""
    python, array = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
