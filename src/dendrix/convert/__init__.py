"""A trained network becomes a spiking one, with an audit of what happened to it."""

from .audit import Audit as Audit
from .audit import Entry as Entry
from .calibrate import calibrate as calibrate
from .calibrate import clip as clip
from .compare import Comparison as Comparison
from .compare import LayerError as LayerError
from .compare import compare as compare
from .convert import Conversion as Conversion
from .convert import convert as convert
from .max_pool import SpikingMaxPool as SpikingMaxPool
from .network import SpikingNetwork as SpikingNetwork
from .parts import MaxPool as MaxPool
from .parts import NeuronKind as NeuronKind
