"""Deployment: networks in whole numbers, as C99 and as WebAssembly."""

from ..data import CochleaBound, IntegerCochlea, IntegerMel, bound_cochlea, integer_encoder
from . import energy as _energy  # noqa: F401 - tells the meter about integer networks
from .answering import Answer, Answering
from .arduino_export import export_arduino
from .bounds import Bound, bound
from .c_export import export_c
from .compiled_step import Spikes, StreamingNetwork, StreamingState, streaming
from .costs import Report, Sizes, report, sizes
from .deployed import Deployed, exit_rule, margin_rule
from .finetuning import finetune
from .image_bounds import ImageBound, bound_images
from .image_costs import ImageReport, image_report
from .image_deployed import DeployedImage
from .image_export import ENGINE as _ENGINE  # noqa: F401 - registers the files of image networks
from .image_network import ImageState, IntegerImageNetwork
from .image_quantiser import quantise_images
from .network import InputForm, IntegerNetwork, IntegerState
from .npz_export import export_npz
from .quantiser import quantise
from .text_bounds import TextBound, bound_text
from .text_export import DeployedText, export_text_c, export_text_npz, export_text_wasm
from .text_network import IntegerSpikeGPT
from .text_quantiser import quantise_text
from .text_sampling import continued, next_token
from .wasm_export import export_wasm
from .words import DeployedWords
from .words_export import export_words_c, export_words_wasm
from .words_layout import WordsSizes, words_sizes

__all__ = [
    "Answer",
    "Answering",
    "Bound",
    "CochleaBound",
    "Deployed",
    "DeployedImage",
    "DeployedText",
    "DeployedWords",
    "ImageBound",
    "ImageReport",
    "ImageState",
    "InputForm",
    "IntegerCochlea",
    "IntegerImageNetwork",
    "IntegerMel",
    "IntegerNetwork",
    "IntegerSpikeGPT",
    "IntegerState",
    "Report",
    "Sizes",
    "Spikes",
    "StreamingNetwork",
    "StreamingState",
    "TextBound",
    "WordsSizes",
    "bound",
    "bound_cochlea",
    "bound_images",
    "bound_text",
    "continued",
    "exit_rule",
    "export_arduino",
    "export_c",
    "export_npz",
    "export_text_c",
    "export_text_npz",
    "export_text_wasm",
    "export_wasm",
    "export_words_c",
    "export_words_wasm",
    "finetune",
    "image_report",
    "integer_encoder",
    "margin_rule",
    "next_token",
    "quantise",
    "quantise_images",
    "quantise_text",
    "report",
    "sizes",
    "streaming",
    "words_sizes",
]
