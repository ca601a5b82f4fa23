"""Matrix products of weights with sequences."""
