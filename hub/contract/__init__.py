"""What the hub says on the wire, as documents for those who listen: made from the code that says it."""
