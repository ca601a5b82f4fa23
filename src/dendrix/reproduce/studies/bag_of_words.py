"""Bag of words, the baseline of sentence classification: logistic regression on words and pairs of neighbouring words."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...data.text.sentences import SentenceSplits
from ...errors import MissingExtraError

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse strengths of the regularisation (C of scikit-learn), chosen on validation sentences."""


@dataclass(frozen=True)
class BagOfWords:
    """Scores of the baseline."""

    accuracy: float
    """On the test sentences."""
    valid_accuracy: float
    parameters: int
    strength: float
    """The chosen C."""


def bag_of_words(splits: SentenceSplits, strengths: Sequence[float] = STRENGTHS, *, pairs: bool = True) -> BagOfWords:
    """Fit the baseline to the training sentences and choose its regularisation on the validation sentences.

    Args:
        splits: the sentences.
        strengths: values of C to choose from.
        pairs: count pairs of neighbouring words too, not only single words.
    Raises:
        MissingExtraError: scikit-learn is missing.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except Exception as missing:
        raise MissingExtraError.of("The bag of words needs", "scikit-learn", "train", missing) from missing
    words = TfidfVectorizer(ngram_range=(1, 1 + pairs), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
    train, valid, test = words.fit_transform(splits.train.texts), words.transform(splits.valid.texts), words.transform(splits.test.texts)
    fitted = [LogisticRegression(C=strength, max_iter=1000).fit(train, splits.train.y.numpy()) for strength in strengths]
    scores = [float(model.score(valid, splits.valid.y.numpy())) for model in fitted]
    best = scores.index(max(scores))
    model = fitted[best]
    accuracy = float(model.score(test, splits.test.y.numpy()))
    return BagOfWords(accuracy, scores[best], model.coef_.size + model.intercept_.size, strengths[best])
