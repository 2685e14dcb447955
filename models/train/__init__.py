"""Rebuilds the deterioration model and its card from the training data. Never imported by the hub."""
