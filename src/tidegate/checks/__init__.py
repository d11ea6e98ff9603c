"""Checks of doctor: one module a check, named after what it flags, found by walking."""
