"""The configuration: one TOML file, checked as a whole; and what the trail keeps of it."""
