"""The control socket: how others on this machine ask the daemon, which alone writes."""
