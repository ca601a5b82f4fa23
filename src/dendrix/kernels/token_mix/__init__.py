"""The mixtures of token shift, forward and backward."""
