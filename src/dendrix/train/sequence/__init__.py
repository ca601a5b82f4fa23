"""Training of networks over time: recipe, data, learner, augmentation."""
