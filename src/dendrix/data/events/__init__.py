"""Event data: file formats of neuromorphic sensors, binning, and event data sets."""
