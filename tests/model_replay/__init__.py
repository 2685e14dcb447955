"""A person whom the shipped model has not seen, replayed through a whole hub: `make model-replay`."""
