"""A file for each page: what it shows, what can be done on it. Each has its `ROUTES`."""
