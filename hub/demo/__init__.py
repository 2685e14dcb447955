"""The demonstration: a hub, a virtual ward, a broker and an ICS, and half a minute of a story."""
