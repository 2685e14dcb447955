"""A hub's radio in a ward of virtual sensors: what the aims of the Bluetooth work say, measured."""
