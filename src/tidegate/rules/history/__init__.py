"""The files and the graph they make."""
