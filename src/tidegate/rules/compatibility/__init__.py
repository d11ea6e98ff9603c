"""What breaks the release that still runs while the schema is changed."""
