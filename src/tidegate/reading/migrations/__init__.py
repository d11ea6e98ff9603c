"""Readers of migrations: from a file's syntax to what it does to the database."""
