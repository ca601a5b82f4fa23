"""Modelling code that is written beside the weights; nothing of dendrix imports it."""
