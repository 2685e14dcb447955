"""From a payload to a committed reading and all that it causes, in one transaction."""
