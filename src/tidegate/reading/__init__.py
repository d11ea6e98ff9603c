"""Readers of migrations and of the files around an app: from text to values, with their lines."""
