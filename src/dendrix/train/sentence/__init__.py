"""Training of sentence classifiers: recipe, data, learner."""
