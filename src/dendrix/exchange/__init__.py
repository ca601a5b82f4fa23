"""Exchange of networks with other libraries: NIR and ONNX."""

from .dialects import DIALECTS, Dialect
from .graph import Graph, read_graph
from .importer import build_network, from_nir
from .network import GraphNetwork
from .neuron import NIRNeuron
from .nodes import Node

__all__ = ["DIALECTS", "Dialect", "Graph", "GraphNetwork", "NIRNeuron", "Node", "build_network", "from_nir", "read_graph"]
