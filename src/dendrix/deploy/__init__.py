"""Deployment: networks in whole numbers, as C99 and as WebAssembly."""

from ..data.speech.integer_mel import IntegerMel, integer_encoder
from . import energy as _energy  # noqa: F401 - tells the meter about integer networks
from .answering import Answer, Answering
from .arduino_export import export_arduino
from .bounds import Bound, bound
from .c_export import export_c
from .compiled_step import StreamingNetwork, StreamingState, streaming
from .costs import Report, Sizes, report, sizes
from .deployed import Deployed, exit_rule, margin_rule
from .finetuning import finetune
from .network import InputForm, IntegerNetwork, IntegerState
from .npz_export import export_npz
from .quantiser import quantise
from .wasm_export import export_wasm

__all__ = [
    "Answer",
    "Answering",
    "Bound",
    "Deployed",
    "InputForm",
    "IntegerMel",
    "IntegerNetwork",
    "IntegerState",
    "Report",
    "Sizes",
    "StreamingNetwork",
    "StreamingState",
    "bound",
    "exit_rule",
    "export_arduino",
    "export_c",
    "export_npz",
    "export_wasm",
    "finetune",
    "integer_encoder",
    "margin_rule",
    "quantise",
    "report",
    "sizes",
    "streaming",
]
