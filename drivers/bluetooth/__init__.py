"""Sensors over Bluetooth Low Energy: see README.md."""
