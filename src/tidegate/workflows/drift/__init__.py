"""Drift: models that no migration knows, and a database that the migrations did not make."""
