"""Exchange of networks with other libraries: NIR and ONNX."""

from ..neurons.nir import NIRNeuron
from .comparison import Comparison, compare
from .dialects import DIALECTS, Dialect
from .exporter import nir_graph, to_nir, write_nir
from .graph import Graph, read_graph
from .importer import build_graph, from_nir, reading_of
from .network import GraphNetwork
from .netx import from_netx
from .nodes import Node
from .onnx_models import to_onnx
from .recordings import read_recording, to_events, write_recording

__all__ = [
    "DIALECTS",
    "Comparison",
    "Dialect",
    "Graph",
    "GraphNetwork",
    "NIRNeuron",
    "Node",
    "build_graph",
    "compare",
    "from_netx",
    "from_nir",
    "nir_graph",
    "read_graph",
    "read_recording",
    "reading_of",
    "to_events",
    "to_nir",
    "to_onnx",
    "write_nir",
    "write_recording",
]
