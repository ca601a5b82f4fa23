"""The scikit-learn classifier: scikit-learn's own checks, and what its users do with a classifier."""

import os
import pickle
import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from dendrix import LI, LIF, DelayLinear, Sequential
from dendrix.errors import InputError, InputTypeError, MissingExtraError
from dendrix.runs import open_run
from dendrix.sklearn import SpikingClassifier
from support.own_nets import bumps

QUICK = dict(epochs=2, batch_size=8, lr=0.03)
ARRAY_API = f"""
from sklearn.utils.estimator_checks import check_array_api_input
from dendrix.sklearn import SpikingClassifier

check_array_api_input("", SpikingClassifier(**{QUICK}), array_namespace="numpy", expect_only_array_outputs=False)
"""


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_blobs(90, 4, centers=3, random_state=0)
    return x, np.array(["ash", "birch", "cedar"])[y]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders come and go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@parametrize_with_checks([SpikingClassifier(**QUICK)])
def test_it_passes_the_checks_of_scikit_learn(estimator: SpikingClassifier, check: partial[None]) -> None:
    if check.func.__name__ != "check_array_api_input":
        check(estimator)


@pytest.mark.extended
def test_it_passes_the_check_of_array_types() -> None:
    """In a process of its own: scipy must have been told before it is imported."""
    subprocess.run([sys.executable, "-c", ARRAY_API], env={**os.environ, "SCIPY_ARRAY_API": "1"}, check=True)


def delays(n_features: int, n_classes: int, hidden: int = 16) -> Sequential:
    """A network that tells when something happens."""
    layers = DelayLinear(n_features, hidden, 100.0, 10.0), DelayLinear(hidden, n_classes, 100.0, 10.0)
    return Sequential(layers[0], LIF(hidden, 20.0, 10.0), layers[1], LI(n_classes, 20.0, 10.0))


def test_sequences_are_learned_by_a_network_of_the_callers() -> None:
    (x, y, _), (more, truth, _) = bumps(80, 0), bumps(40, 1)
    model = SpikingClassifier(delays, dt_ms=10.0, epochs=25, batch_size=10, lr=0.02, random_state=0).fit(x, y)
    assert model.score(more, truth) > 0.6
    assert model.n_features_in_ == 4
    assert model.predict(more[:, :20]).shape == (40,)  # another length
    assert np.array_equal(model.predict_proba(more.tolist()), model.predict_proba(more.numpy()))
    assert model.network_.stages[0].rounded
    with pytest.raises(ValueError, match="X has 3 features, but SpikingClassifier is expecting 4 features"):
        model.predict(more[..., :3])


def test_a_network_may_answer_once(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    def once(n_features: int, n_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(5 * n_features, n_classes))

    x, y = blobs
    model = SpikingClassifier(once, steps=5, epochs=10, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.9
    np.testing.assert_allclose(model.predict_proba(x).sum(1), 1)


def test_it_is_scaled_searched_and_pickled(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = blobs
    pipeline = make_pipeline(StandardScaler(), SpikingClassifier(random_state=0, **QUICK))
    search = GridSearchCV(pipeline, {"spikingclassifier__lr": [1e-5, 0.05], "spikingclassifier__steps": [8]}, cv=2).fit(x, y)
    assert search.best_params_["spikingclassifier__lr"] == 0.05
    assert search.best_score_ > 0.8
    best = search.best_estimator_
    assert list(best.classes_) == ["ash", "birch", "cedar"]
    again = pickle.loads(pickle.dumps(best))
    assert np.array_equal(again.predict_proba(x), best.predict_proba(x))
    fresh = clone(best[-1])
    assert fresh.get_params() == best[-1].get_params()
    assert not hasattr(fresh, "network_")
    assert cross_val_score(fresh, x, y, cv=2).min() > 0.6


def test_random_state_decides_all_and_touches_nothing_else(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(()).item()

    x, y = blobs

    def fitted(seed: Any) -> np.ndarray:
        return SpikingClassifier(random_state=seed, **QUICK).fit(x, y).predict_proba(x)

    def seeded() -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)

    seeded()
    expected = drawn()
    seeded()
    first = fitted(3)
    assert drawn() == expected
    assert np.array_equal(fitted(3), first)
    assert np.array_equal(fitted(np.random.RandomState(3)), first)
    assert not np.array_equal(fitted(4), first)
    assert not np.array_equal(fitted(None), fitted(None))


def test_a_run_is_kept_where_a_folder_is_named(blobs: tuple[np.ndarray, np.ndarray], tmp_path: Path, temporary: Path) -> None:
    x, y = blobs
    model = SpikingClassifier(folder=tmp_path / "run", steps=8, random_state=0, **QUICK).fit(x, y)
    names = np.array(["ash", "birch", "cedar"])
    np.savez(tmp_path / "test.npz", x=np.repeat(x[:, None], 8, 1).astype(np.float32), y=y, labels=names)
    assert open_run(tmp_path / "run", data=tmp_path / "test.npz").score().accuracy == pytest.approx(model.score(x, y))
    assert model.record_["progress"]["epoch"] == 2
    with pytest.raises(FileExistsError, match="new folder, but it exists"):
        model.fit(x, y)
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_of_a_temporary_run(blobs: tuple[np.ndarray, np.ndarray], temporary: Path) -> None:
    x, y = blobs
    SpikingClassifier(**QUICK).fit(x, y)
    assert list(temporary.iterdir()) == []
    with pytest.raises(InputError, match="epochs: expected a whole number"):
        SpikingClassifier(epochs=1.5).fit(x, y)
    with pytest.raises(InputError, match="network: expected outputs"):
        SpikingClassifier(lambda features, classes: nn.Linear(features, classes + 1), **QUICK).fit(x, y)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(network=nn.Linear(4, 3)), "network: expected a function network.*got Linear"),
        (dict(network="lif"), "network: expected a function network.*got str"),
        (dict(network=lambda *_: 3), "network: expected a function that returns a torch.nn.Module, got int"),
        (dict(steps=0), "steps: expected a whole number"),
        (dict(steps=10**9), r"steps: 1,000,000,000 of 4 features: expected at most 134,217,728 frame values"),
        (dict(validation_fraction=1), r"validation_fraction: expected a number in \(0, 1\), got 1"),
        (dict(verbose=2), "verbose: expected True or False"),
        (dict(dt_ms=0), "dt_ms: expected"),
        (dict(lr=-1), "lr: expected"),
        (dict(batch_size="8"), "batch_size: expected"),
    ],
)
def test_bad_parameters_are_one_sentence(options: dict[str, Any], message: str, blobs: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
        SpikingClassifier(**options).fit(*blobs)
    assert "\n" not in str(error.value)


def test_more_axes_are_refused(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = blobs
    with pytest.raises(InputError, match=r"X: expected \[N, F\] or \[N, T, C\], got \[90, 2, 2, 1\]"):
        SpikingClassifier().fit(x.reshape(90, 2, 2, 1), y)
    with pytest.raises(InputError, match="at least two items of a class"):
        SpikingClassifier().fit(x[:2], ["ash", "birch"])


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "dendrix.sklearn")
    with pytest.raises(MissingExtraError, match=r"pip install dendrix\[train\]"):
        import dendrix.sklearn  # noqa: F401
