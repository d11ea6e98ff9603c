"""Matters of style, off until the settings name them."""
