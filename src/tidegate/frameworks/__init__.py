"""The migration frameworks, one file each."""
