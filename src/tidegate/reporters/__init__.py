"""Report formats: one module a format, found by name."""
