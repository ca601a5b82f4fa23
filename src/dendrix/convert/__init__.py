"""A trained network becomes a spiking one, with an audit of what happened to it."""

from .audit import Audit as Audit
from .audit import Entry as Entry
from .calibration import calibrate as calibrate
from .calibration import clip as clip
from .comparison import Comparison as Comparison
from .comparison import LayerError as LayerError
from .comparison import compare as compare
from .conversion import Conversion as Conversion
from .conversion import convert as convert
from .max_pool import SpikingMaxPool as SpikingMaxPool
from .network import SpikingNetwork as SpikingNetwork
from .parts import MaxPool as MaxPool
from .parts import NeuronKind as NeuronKind
