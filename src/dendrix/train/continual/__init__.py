"""Training on one task after another: recipe, data, learner."""
