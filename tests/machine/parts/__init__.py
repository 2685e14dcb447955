"""The scenarios of each part: the issue's evidence."""
