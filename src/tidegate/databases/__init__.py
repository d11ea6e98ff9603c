"""The databases, one file each."""
