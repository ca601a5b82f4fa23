"""A trained network becomes a spiking one, with an audit of what happened to it."""

from .audit import Audit as Audit
from .audit import Entry as Entry
from .convert import Conversion as Conversion
from .convert import convert as convert
from .network import SpikingNetwork as SpikingNetwork
