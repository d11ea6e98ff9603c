"""Readers of the files around an app: each from text to values that keep their lines."""
