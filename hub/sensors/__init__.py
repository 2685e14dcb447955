"""Which sensors there are: enrolled, plugged in, what they say of themselves, what they are heard by."""
