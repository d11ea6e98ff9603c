"""Readers of the files around an app: Compose, Dockerfiles, scripts, settings, lock files."""
