"""What USB costs and keeps, measured: `python -m tests.usb`."""
