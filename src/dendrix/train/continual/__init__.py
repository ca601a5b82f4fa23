"""Continual learning, one task after another: recipe, data, learner."""
