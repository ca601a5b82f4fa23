"""Words and other patterns taught by example: sparse codes of hidden spikes, thresholds for a rate of false alarms, vocabularies."""

from .backbone import Backbone, CodeSettings, calibrated, fit_backbone
from .background import Background
from .coder import Coder, augmented, features_and_looks, look_frames, speech_features
from .codes import Whitening, bin_counts, fit_whitening, hidden_spikes, on_off_winners
from .listening import Event, Spoken, listen_for, spoken_words
from .recording import record_word
from .speech import Span, SpeechDetector
from .thinning import Thinned, thinned_segments
from .thresholds import Calibration, Rates, calibrate, clustered_upper_bound, false_alarm_rates, threshold, word_weights
from .veto import KnownWords
from .vocabulary import Vocabulary, source_of
from .words import Decision, Report, Word

__all__ = [
    "Backbone",
    "Background",
    "Calibration",
    "CodeSettings",
    "Coder",
    "Decision",
    "Event",
    "KnownWords",
    "Rates",
    "Report",
    "Span",
    "SpeechDetector",
    "Spoken",
    "Thinned",
    "Vocabulary",
    "Whitening",
    "Word",
    "augmented",
    "bin_counts",
    "calibrate",
    "calibrated",
    "clustered_upper_bound",
    "false_alarm_rates",
    "features_and_looks",
    "fit_backbone",
    "fit_whitening",
    "hidden_spikes",
    "listen_for",
    "look_frames",
    "on_off_winners",
    "record_word",
    "source_of",
    "speech_features",
    "spoken_words",
    "thinned_segments",
    "threshold",
    "word_weights",
]
