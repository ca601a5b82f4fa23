"""Training of language models: recipe, data, learner, samples."""
