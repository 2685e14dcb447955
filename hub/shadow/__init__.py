"""The learned model beside the score: asked, watched, judged. A shadow: it raises no alert."""
