"""What surrounds autogenerate: how it is run, and what it asks."""
