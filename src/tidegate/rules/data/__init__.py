"""Migrations of rows."""
