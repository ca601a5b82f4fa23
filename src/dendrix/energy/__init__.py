"""What a network would cost in energy: operations and memory traffic counted while it runs, under assumptions that are stated."""

from .lines import Line as Line
from .lines import Metered as Metered
from .lines import three_lines as three_lines
from .meter import measure as measure
from .paper import ASSUMED_RATE as ASSUMED_RATE
from .paper import Assumed as Assumed
from .paper import formula as formula
from .products import Product as Product
from .products import products as products
from .report import Costs as Costs
from .report import Layer as Layer
from .report import Operations as Operations
from .report import Rate as Rate
from .report import Report as Report
from .spikes import spikes as spikes
