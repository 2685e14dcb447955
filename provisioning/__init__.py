"""Setting hubs up and keeping them up to date: the engineer's side, and `keeper`, which runs on the hub."""
