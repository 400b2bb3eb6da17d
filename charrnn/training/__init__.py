"""Learning: the trainer and its events, the learner, optimisers, workers and ranks."""
