"""Stories told from outside the image."""
