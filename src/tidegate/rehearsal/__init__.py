"""What runs in the project's own Python while its migrations are rehearsed.

A process of its own, standard library only plus the project's framework and driver. It is spoken
with over its standard input and output, one JSON document a line (`__main__`).
"""
