"""Pure functions: what a set of observations says of a person. No database, no clock, no network."""
