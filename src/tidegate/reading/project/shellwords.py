"""Words of a shell's syntax tree as the shell would hand them on."""

from __future__ import annotations

from typing import Any


def text(node: Any) -> str:
    """Return a node as it is written."""
    return str(node.text.decode())


def word(node: Any) -> str:
    """Return a node without its quotes."""
    return unquoted(text(node))


def unquoted(text: str) -> str:
    """Take the quotes off a word as the shell would; expansions stay."""
    out: list[str] = []
    quote, index = "", 0
    while index < len(text):
        char = text[index]
        if quote == "'":
            quote = "" if char == "'" else quote
            out.append(char if char != "'" else "")
        elif char == "\\" and index + 1 < len(text):
            follows = text[index + 1]
            if quote and follows not in '$`"\\\n':
                out.append(char)
            out.append("" if follows == "\n" else follows)
            index += 1
        elif char == '"':
            quote = "" if quote else '"'
        elif char == "'" and not quote:
            quote = "'"
        else:
            out.append(char)
        index += 1
    return "".join(out)
