"""The CarePort Hub: the daemon at the edge of the CarePort programme."""

__version__ = "0.1.0"
