"""Backups: made, proved by reading and restoring, and brought back beside the old database."""
