"""Scans of the neurons of converted networks."""
