"""The page of the study of the price of spikes."""

from ..study import Results


def page(found: Results) -> str:
    """Return the results as Markdown."""
    return "# Price of spikes\n"
