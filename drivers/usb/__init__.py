"""Sensors and wristband readers on USB: found when they are plugged in, let go when they are pulled out."""
