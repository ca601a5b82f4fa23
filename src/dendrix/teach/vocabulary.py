"""Vocabulary: words taught by example, each a few sparse codes and a threshold."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checks import suggestion
from ..errors import InputError, InputTypeError
from ..sdr import SDR, SegmentIndex, stack
from . import files
from .backbone import Backbone
from .background import Background, Whole, joined
from .thresholds import Calibration, clustered_upper_bound, false_alarm_rates, threshold, word_weights
from .words import Decision, Distribution, Report, Word, distribution

KIND, VERSION = "vocabulary", 1
LONGEST_NAME = 100
"""Longest name of a word, in characters."""


class Vocabulary:
    """Taught words of one backbone. Teaching a word costs as much as the word, whatever the vocabulary has.

    Args:
        backbone: backbone of the codes.
        source: name or folder of its network, which the file of the vocabulary keeps.
    """

    def __init__(self, backbone: Backbone, source: str = "") -> None:
        self.backbone, self.source = backbone, source
        self.own: Background | None = None
        self._index = SegmentIndex(backbone.n)
        self._words: dict[str, Word] = {}
        self._ids: dict[str, Whole] = {}
        self._distributions: dict[str, list[Distribution]] = {}

    @property
    def words(self) -> Mapping[str, Word]:
        """The words by name, in the order of teaching."""
        return dict(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def teach(self, name: str, codes: SDR, rate: float = 0.01, veto: bool = False) -> Word:
        """Teach a new word.

        Args:
            name: its name.
            codes: code of each of its clips.
            rate: accepted rate of false alarms per clip of another word.
            veto: reject a clip that is more like one of the known words that the word is most often taken for; the threshold is computed
                for both together.
        Raises:
            InputError: the name exists or is not a name, the codes are of another backbone or empty, or the backbone has no table
                for the veto.
            NoCertificateError: the background does not support the rate.
        """
        self._expect_new(name)
        word = self._calibrated(codes, rate, veto)
        self._store(name, word)
        return word

    def extend(self, name: str, codes: SDR) -> Word:
        """Add clips to a word, and compute its threshold again.

        Raises:
            InputError: as in `teach`, or there is no such word.
        """
        known = self[name]
        word = self._calibrated(stack([known.codes, self._expect_codes(codes)]), known.rate, bool(known.rivals))
        self._replace(name, word)
        return word

    def forget(self, name: str) -> None:
        """Remove a word.

        Raises:
            InputError: there is no such word.
        """
        self[name]
        self._index.delete(self._ids.pop(name))
        self._distributions.pop(name, None)
        del self._words[name]

    def rename(self, name: str, new: str) -> None:
        """Rename a word; its place in the order stays.

        Raises:
            InputError: there is no such word, or the new name exists.
        """
        self[name]
        self._expect_new(new)
        self._words = {new if key == name else key: word for key, word in self._words.items()}
        self._ids = {new if key == name else key: ids for key, ids in self._ids.items()}
        self._distributions.pop(name, None)

    def merge(self, other: "Vocabulary") -> None:
        """Take over the words and the own background of another vocabulary of the same backbone.

        Raises:
            InputError: the backbones differ, or a name occurs in both; nothing is changed then.
        """
        if other.backbone is not self.backbone and digest(other.backbone) != digest(self.backbone):
            raise InputError(
                "other: expected a vocabulary of the same backbone, got one of another. Teach its words again from their clips."
            )
        if twice := [name for name in other.words if name in self._words]:
            raise InputError(f"other: expected names that this vocabulary lacks, got '{twice[0]}' twice. Rename one of them first.")
        for name, word in other.words.items():
            self._store(name, word)
        if other.own is not None:
            self.hear(other.own.codes)

    def hear(self, codes: SDR) -> None:
        """Add sounds of the user to a background of their own, and compute all thresholds again.

        Args:
            codes: code of each sound; none of them should contain a taught word.
        Raises:
            InputError: the codes are of another backbone, or there is none.
        """
        self._expect_codes(codes)
        number = np.arange(len(codes))
        heard = Background(codes, number, number, tuple(f"sound {i + 1}" for i in number))
        self.own = heard if self.own is None else joined([self.own, heard])
        for name, word in list(self._words.items()):
            self._replace(name, self._calibrated(word.codes, word.rate, bool(word.rivals)))

    def scores(self, codes: SDR) -> Whole:
        """Return the scores of Q clips for all words, [Q, number of words]: the sums of the overlaps with the codes of each word."""
        self._expect_codes(codes)
        overlaps = self._index.overlaps(codes)
        columns = [overlaps[:, ids].sum(1, dtype=np.int64) for ids in self._ids.values()]
        return np.stack(columns, 1) if columns else np.zeros((len(codes), 0), np.int64)

    def decide(self, codes: SDR, thresholds: Mapping[str, int] | None = None) -> list[Decision]:
        """Decide about Q clips: the best word that reaches its threshold, where words are compared by (score - mean) / deviation.

        A word that is vetoed is not reached; its p-value is 1.

        Args:
            codes: Q codes.
            thresholds: threshold of each word, as from `early_threshold`; None takes those for whole clips.
        Raises:
            InputError: the vocabulary is empty.
        """
        if not self._words:
            raise InputError("Expected a vocabulary with words, got an empty one. Teach one first.")
        names, words = list(self._words), list(self._words.values())
        found = self.scores(codes)
        theta, mean, deviation = (np.array([getattr(word, field) for word in words]) for field in ("theta", "mean", "deviation"))
        if thresholds is not None:
            theta = np.array([thresholds[name] for name in names])
        standard = (found - mean) / deviation
        allowed = self._after_veto(codes, found)
        reached = allowed >= theta
        best = np.where(reached.any(1), np.where(reached, standard, -math.inf).argmax(1), standard.argmax(1))
        return [
            Decision(names[k] if row[k] >= theta[k] else None, self.p_value(names[k], int(row[k])), names[k], int(raw[k]), int(theta[k]))
            for raw, row, k in zip(found, allowed, best.tolist(), strict=True)
        ]

    def p_value(self, name: str, score: int) -> float:
        """Return the share of the background, the user's own if it is larger, that scores at least as high for a word, never 0."""
        if name not in self._distributions:
            rows = self._background_scores(self[name].codes, self[name].rivals)
            given = filter(None, (self.backbone.background, self.own))
            self._distributions[name] = [distribution(background, scores) for background, scores in zip(given, rows, strict=True)]
        return max(of.share(score) for of in self._distributions[name])

    def early_threshold(self, name: str) -> int | None:
        """Return the threshold of a word that may be decided before it has ended, with which the asked rate still holds.

        A word that is looked at several times has several chances to fire, so this threshold is higher than that of whole clips.

        Returns:
            None if the word has to end: it has a veto, the backbone has no table, or the background does not support the rate.
        """
        word, table, background = self[name], self.backbone.early, self.backbone.background
        if table is None or word.rivals or not table.supports(word.rate, len(background), background.words):
            return None
        share, usual = (of.at(word.rate, background.words)[0] for of in (table, self.backbone.calibration))
        theta = threshold(background.scores(word.codes), share * word.rate, word_weights(background.word))
        if self.own is not None:
            theta = max(theta, threshold(self.own.scores(word.codes), min(share / usual, 1.0) * word.rate))
        return max(theta, word.theta)

    def expected_rate(self, name: str, p_value: float, early: bool = False) -> float:
        """Return the rate of false alarms that a threshold with this p-value has on words that the background lacks.

        Args:
            name: the word.
            p_value: share of the background.
            early: for a word that may be decided before it has ended.
        """
        table = self.backbone.early if early and self.backbone.early else self._table(bool(self[name].rivals))
        return table.expected(p_value, self.backbone.background.words)

    def report(self, name: str, confusable: int = 3) -> Report:
        """Return what is known about the false alarms of a word.

        Args:
            name: the word.
            confusable: number of known words to name.
        Raises:
            InputError: there is no such word.
        """
        word, background = self[name], self.backbone.background
        calibration = self._table(bool(word.rivals))
        found, *of_own = self._background_scores(word.codes, word.rivals)
        rates = false_alarm_rates(found, word.theta, background.word)
        _, low, high = calibration.at(word.rate, background.words)
        order = [i for i in np.argsort(-rates.by_word, kind="stable")[:confusable] if rates.by_word[i] > 0]
        own = float((of_own[0] >= word.theta).mean()) if of_own else None
        speaker = calibration.own(word.rate, background.words)
        return Report(
            name,
            len(word.codes),
            word.rate,
            (low * word.rate, high * word.rate),
            clustered_upper_bound(found >= word.theta, background.word),
            background.words,
            background.speakers,
            len(background),
            tuple((background.names[rates.words[i]], float(rates.by_word[i])) for i in order),
            0 if self.own is None else len(self.own),
            own,
            None if speaker is None else (speaker[0] * word.rate, speaker[1] * word.rate),
            word.rivals,
            len(word.codes) * -(-self.backbone.n // 8) + 6,
        )

    def save(self, path: str | Path) -> None:
        """Write the vocabulary to a file, atomically: the codes of each word, its rate and threshold, and the own background.

        Raises:
            OSError: it cannot be written.
        """
        arrays = {f"word {i}": files.packed(word.codes) for i, word in enumerate(self._words.values())}
        if self.own is not None:
            arrays["own background"] = files.packed(self.own.codes)
        words = [{"name": name, **{k: v for k, v in vars(word).items() if k != "codes"}} for name, word in self._words.items()]
        files.write(Path(path), KIND, VERSION, arrays, {"backbone": digest(self.backbone), "source": self.source, "words": words})

    @classmethod
    def load(cls, path: str | Path, backbone: Backbone) -> "Vocabulary":
        """Read a vocabulary that `save` wrote.

        Args:
            path: file to read.
            backbone: its backbone.
        Raises:
            OSError: the file does not exist or cannot be opened.
            InputError: it is damaged, of another version, or belongs to another backbone.
        """
        arrays, facts = files.read(Path(path), KIND, VERSION)
        if facts.get("backbone") != digest(backbone):
            raise InputError(
                f"{path}: expected a vocabulary of this backbone, got one of another or of an earlier version of it. Give its backbone, or "
                "teach the words again."
            )
        vocabulary = cls(backbone, str(facts.get("source", "")))
        try:
            for i, entry in enumerate(facts["words"]):
                codes = files.unpacked(backbone.n, arrays[f"word {i}"])
                vocabulary._expect_new(entry["name"])
                vocabulary._expect_codes(codes)
                numbers = {k: float(entry[k]) for k in ("rate", "mean", "deviation")}
                if not all(map(math.isfinite, numbers.values())) or not numbers["deviation"] > 0 or type(entry["theta"]) is not int:
                    raise InputError(f"word '{entry['name']}': expected finite numbers and a whole threshold.")
                rivals = tuple(map(str, entry.get("rivals", ())))
                if unknown := set(rivals) - set(backbone.background.names):
                    raise InputError(f"word '{entry['name']}': expected rivals among the known words, got {sorted(unknown)}.")
                vocabulary._store(entry["name"], Word(codes, theta=entry["theta"], rivals=rivals, **numbers))
            if "own background" in arrays:
                own = files.unpacked(backbone.n, arrays["own background"])
                number = np.arange(len(own))
                vocabulary.own = Background(own, number, number, tuple(f"sound {i + 1}" for i in number))
        except (InputError, InputTypeError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: expected a vocabulary, but its content does not fit together ({reason}). Copy it again.") from error
        return vocabulary

    def __getitem__(self, name: str) -> Word:
        if name not in self._words:
            known = f"it has {', '.join(self._words)}" if self._words else "it is empty"
            raise InputError(f"word: expected one of the vocabulary, got '{name}'; {known}.{suggestion(name, self._words)}")
        return self._words[name]

    def _calibrated(self, codes: SDR, rate: float, veto: bool = False) -> Word:
        """Return the word with the threshold for a rate: the larger of those of the backbone's and the user's own background."""
        self._expect_codes(codes)
        background, calibration = self.backbone.background, self._table(veto)
        calibration.expect_supported(rate, len(background), background.words)
        kappa = calibration.at(rate, background.words)[0]
        weights = word_weights(background.word)
        plain = background.scores(codes)
        mean = float(plain @ weights)
        deviation = max(math.sqrt(float((plain - mean) ** 2 @ weights)), 1e-6)
        known = self.backbone.known if veto else None
        rivals = () if known is None else tuple(background.names[known.words[i]] for i in known.rivals(plain))
        found, *of_own = self._background_scores(codes, rivals)
        theta = threshold(found, kappa * rate, weights)
        if of_own:
            theta = max(theta, threshold(of_own[0], rate))
        return Word(codes, float(rate), max(theta, 0), mean, deviation, rivals)

    def _table(self, veto: bool) -> Calibration:
        """Return the table of kappa of words with or without a veto."""
        if not veto:
            return self.backbone.calibration
        if self.backbone.veto is None:
            raise InputError("veto: expected a backbone with a table for it, got one without. Compute the backbone again.")
        return self.backbone.veto

    def _background_scores(self, codes: SDR, rivals: tuple[str, ...]) -> list[Whole]:
        """Return the scores of the backbone's background for a word, and of the user's own if there is one; -1 for vetoed clips."""
        background = self.backbone.background
        rows = [given.scores(codes) for given in (background, self.own) if given is not None]
        if not rivals:
            return rows
        known, columns = self.backbone.known, self._columns(rivals)
        likeness = [known.of_background] if self.own is None else [known.of_background, known.likeness(self.own.codes)]
        return [known.apply(row, rows[0], like, columns) for row, like in zip(rows, likeness, strict=True)]

    def _after_veto(self, codes: SDR, scores: Whole) -> Whole:
        """Return scores [Q, number of words] with -1 where a clip is vetoed."""
        if not any(word.rivals for word in self._words.values()):
            return scores
        likeness, found = self.backbone.known.likeness(codes), scores.copy()
        for k, word in enumerate(self._words.values()):
            if word.rivals:
                likely = likeness[:, self._columns(word.rivals)].max(1)
                found[likely > (scores[:, k] - word.mean) / word.deviation, k] = -1
        return found

    def _columns(self, rivals: tuple[str, ...]) -> NDArray[np.int64]:
        names = [self.backbone.background.names[i] for i in self.backbone.known.words]
        return np.array([names.index(rival) for rival in rivals], np.int64)

    def _store(self, name: str, word: Word) -> None:
        self._ids[name] = self._index.insert(word.codes)
        self._words[name] = word

    def _replace(self, name: str, word: Word) -> None:
        self._distributions.pop(name, None)
        if word.codes == self._words[name].codes:
            self._words[name] = word
            return
        self._index.delete(self._ids[name])
        self._ids[name], self._words[name] = self._index.insert(word.codes), word

    def _expect_new(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise InputError(f"word: expected a name of 1 to {LONGEST_NAME} printable characters, got {str(name)[:LONGEST_NAME]!r}.")
        if name in self._words:
            raise InputError(f"word: expected a new name, but '{name}' was taught before. Add clips to it, remove it first, or rename it.")

    def _expect_codes(self, codes: SDR) -> SDR:
        if codes.n != self.backbone.n:
            raise InputError(f"codes: expected {self.backbone.n} bits, got {codes.n}. Compute them with the backbone of the vocabulary.")
        if not len(codes) > 0:
            raise InputError("codes: expected at least one, got none. Give clips of the word.")
        return codes


def source_of(path: str | Path) -> str:
    """Return the name or folder of the network that a vocabulary was taught with.

    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: it is not a vocabulary.
    """
    return str(files.read(Path(path), KIND, VERSION)[1].get("source", ""))


def digest(backbone: Backbone) -> str:
    """Return the identity of a backbone: equal for equal codes, background and calibration."""
    found = hashlib.sha256(json.dumps([asdict(backbone.settings), backbone.network], sort_keys=True).encode())
    for array in (backbone.whitening.mean, backbone.whitening.directions, backbone.whitening.reduction):
        found.update(np.ascontiguousarray(array).tobytes())
    found.update(files.packed(backbone.background.codes).tobytes())
    return found.hexdigest()[:32]
