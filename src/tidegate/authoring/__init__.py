"""Runs in the project's own Python: autogenerate with its blind spots filled in or refused."""
