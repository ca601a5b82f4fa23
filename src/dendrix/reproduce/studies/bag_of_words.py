"""Bag of words, the baseline of sentence classification: logistic regression on words and pairs of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.text.sentences import Sentences, SentenceSplits
from ...errors import MissingExtraError

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse strengths of the regularisation (C of scikit-learn), chosen on validation sentences."""


@dataclass(frozen=True)
class BagOfWords:
    """Scores of the baseline."""

    valid_accuracy: float
    right: tuple[bool, ...]
    """Whether each test sentence was classified correctly."""
    parameters: int
    strength: float
    """The chosen C."""

    @property
    def accuracy(self) -> float:
        """Accuracy on the test sentences."""
        return sum(self.right) / len(self.right)


def bag_of_words(splits: SentenceSplits, strengths: Sequence[float] = STRENGTHS) -> BagOfWords:
    """Fit the baseline to the training sentences and choose its regularisation on the validation sentences.

    Args:
        splits: the sentences.
        strengths: values of C to choose from.
    Raises:
        MissingExtraError: scikit-learn is missing.
    """
    vectorizer, regression = _library()
    words = vectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
    train, valid, test = words.fit_transform(splits.train.texts), words.transform(splits.valid.texts), words.transform(splits.test.texts)
    fitted = [regression(C=strength, max_iter=1000).fit(train, splits.train.y.numpy()) for strength in strengths]
    scores = [float(np.mean(_right(model, valid, splits.valid))) for model in fitted]
    best = int(np.argmax(scores))
    right = tuple(bool(hit) for hit in _right(fitted[best], test, splits.test))
    return BagOfWords(scores[best], right, fitted[best].coef_.size + fitted[best].intercept_.size, strengths[best])


def _right(model: Any, x: Any, sentences: Sentences) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = model.predict(x) == sentences.y.numpy()
    return right


def _library() -> tuple[Any, Any]:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as missing:
        raise MissingExtraError("The bag of words needs scikit-learn, which is not installed: pip install dendrix[train].") from missing
    return TfidfVectorizer, LogisticRegression
