"""Training of image networks: recipe, data, learner, augmentation."""
