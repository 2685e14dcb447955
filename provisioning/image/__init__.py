"""A flashable image: Debian for the 64-bit Raspberry Pi, with a release of the hub in its first slot."""
