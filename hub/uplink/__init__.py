"""The way to the ICS and back: the wire contract, the broker, delivery."""
