"""When something was: a sensor's clock against the hub's, and times that are put right later."""
