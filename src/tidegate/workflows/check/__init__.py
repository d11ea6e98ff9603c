"""The story of `tidegate check`: migrations found, read, replayed, judged and mended."""
