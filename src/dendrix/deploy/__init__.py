"""Deployment: networks in whole numbers, as C99 and as WebAssembly."""

from .bounds import Bound, bound
from .c_export import export_c
from .compiled_step import StreamingNetwork, StreamingState, streaming
from .deployed import Answer, Deployed, exit_rule
from .frontend import IntegerMel, integer_encoder
from .network import InputForm, IntegerNetwork, IntegerState
from .quantiser import quantise
from .report import Sizes, sizes
from .wasm_export import export_wasm

__all__ = [
    "Answer",
    "Bound",
    "Deployed",
    "InputForm",
    "IntegerMel",
    "IntegerNetwork",
    "IntegerState",
    "Sizes",
    "StreamingNetwork",
    "StreamingState",
    "bound",
    "exit_rule",
    "export_c",
    "export_wasm",
    "integer_encoder",
    "quantise",
    "sizes",
    "streaming",
]
