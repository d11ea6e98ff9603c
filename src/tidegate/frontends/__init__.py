"""The doors a person or a program comes in by."""
