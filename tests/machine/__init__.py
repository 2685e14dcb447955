"""Hubs on machines with a real systemd (systemd-nspawn): set up, updated, killed, cut (`make
test-machine`)."""
