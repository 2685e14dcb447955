"""The life of an alert: raised, answered, climbing its ladder, resolved; somebody's concern; the beacon."""
