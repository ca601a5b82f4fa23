"""Delay layers: Gaussian kernel construction, convolution, integer delays and shifts of single channels."""
