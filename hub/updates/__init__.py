"""Which release this is, what became of the last update, and what the centre asks for."""
