"""Energy estimates of networks: operations and memory traffic, counted while a network runs, and their cost under stated assumptions."""

from .lines import Line, Metered, estimates
from .matrix_products import Product, products
from .meter import measure
from .paper import ASSUMED_RATE, Assumed, formula
from .report import Costs, Layer, Operations, Rate, Report
from .spike_outputs import spikes

__all__ = [
    "ASSUMED_RATE",
    "Assumed",
    "Costs",
    "Layer",
    "Line",
    "Metered",
    "Operations",
    "Product",
    "Rate",
    "Report",
    "estimates",
    "formula",
    "measure",
    "products",
    "spikes",
]
