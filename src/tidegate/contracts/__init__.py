"""What a plugin of each kind must be able to do."""
