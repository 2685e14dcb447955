"""Bytes and radios: what turns a sensor's payload into a reading. Knows no resident and no score."""
