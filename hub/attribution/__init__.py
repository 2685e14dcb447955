"""Whose a reading is; and all that follows where a person says that it is somebody else's."""
