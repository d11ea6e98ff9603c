"""From text to values, with their lines: migrations, and the files around an app."""
