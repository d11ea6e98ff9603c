"""What autogenerate gets wrong."""
