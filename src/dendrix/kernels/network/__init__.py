"""Whole networks as one compiled loop over steps, event by event, without tensors between the layers."""
