"""A page for browsers that runs the shipped networks without a server: its files, and a server for the own machine."""

from .builder import Networks, build_page, networks_with, written_page
from .server import PageServer

__all__ = ["Networks", "PageServer", "build_page", "networks_with", "written_page"]
