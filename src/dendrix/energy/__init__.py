"""Energy estimates of networks: operations and memory traffic, counted while a network runs, and their cost under stated assumptions."""

from .dense_form import twin_network
from .estimation import TERMS, Estimate, estimate
from .hardware.files import hardware_names, load_hardware
from .hardware.model import ZERO, Hardware, Memory, OperationCosts, Range
from .lines import Line, Metered, estimates
from .matrix_products import Product, products
from .meter import measure
from .paper import ASSUMED_RATE, Assumed, formula
from .report import Costs, Layer, Operations, Rate, Report, StateUse
from .sentences import verdict
from .spike_outputs import spikes
from .stored_states import Stored, stored
from .traffic import Moved, Traffic, count_traffic
from .twin import BreakEven, Comparison, Twin, at_rate, at_steps, compare, make_twin

__all__ = [
    "ASSUMED_RATE",
    "TERMS",
    "ZERO",
    "Assumed",
    "BreakEven",
    "Comparison",
    "Costs",
    "Estimate",
    "Hardware",
    "Layer",
    "Line",
    "Memory",
    "Metered",
    "Moved",
    "OperationCosts",
    "Operations",
    "Product",
    "Range",
    "Rate",
    "Report",
    "StateUse",
    "Stored",
    "Traffic",
    "Twin",
    "at_rate",
    "at_steps",
    "compare",
    "count_traffic",
    "estimate",
    "estimates",
    "formula",
    "hardware_names",
    "load_hardware",
    "make_twin",
    "measure",
    "products",
    "spikes",
    "stored",
    "twin_network",
    "verdict",
]
