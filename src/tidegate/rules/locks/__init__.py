"""What a migration holds up: locks, scans, rewrites."""
