"""Reads migrations as source, without importing them, into operations with the state before."""
