"""Events of neuromorphic sensors: file formats, binning, and the event data sets."""
