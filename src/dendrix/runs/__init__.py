"""Use of finished runs: evaluation, prediction, exit records, conversion, energy, report."""

from .conversion import ConvertRun, convert_run
from .energy import meter_run
from .evaluation import evaluate_run, record_run
from .listening import Heard, listen
from .opened import OpenedRun, open_run
from .prediction import Prediction, predict
from .report.writer import write_report
from .viewing import Seen, look, predict_images

__all__ = [
    "ConvertRun",
    "Heard",
    "OpenedRun",
    "Prediction",
    "Seen",
    "convert_run",
    "evaluate_run",
    "listen",
    "look",
    "meter_run",
    "open_run",
    "predict",
    "predict_images",
    "record_run",
    "write_report",
]
