"""Small edits of a user's files, as values: characters replaced, never a file written anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.reading.project.tree import Item


@dataclass(frozen=True)
class Edit:
    """Replace the characters from `start` to `end`.

    `executable` sets the file's mode instead, and `command` is a program of the project that
    writes the file.
    """

    path: str
    start: int = 0
    end: int = 0
    text: str = ""
    executable: bool = False
    command: tuple[str, ...] = ()


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return `text` with edits of one file made, from its end to its beginning."""
    done: list[Edit] = []
    for edit in sorted(set(edits), key=lambda one: (one.start, one.end), reverse=True):
        if done and edit.end > done[-1].start:
            continue  # two mends of one place: the next round makes the other
        text = text[: edit.start] + edit.text + text[edit.end :]
        done.append(edit)
    return text


def line_start(text: str, line: int) -> int:
    """Return the offset at which a line begins; lines count from 1."""
    at = 0
    for _ in range(line - 1):
        found = text.find("\n", at)
        if found < 0:
            return len(text)
        at = found + 1
    return at


def newline(text: str) -> str:
    """Return the newline that a file uses."""
    return "\r\n" if "\r\n" in text else "\n"


def insert_line(path: str, text: str, before: int, new: str) -> Edit:
    """Put a line (or several) before a line."""
    at = line_start(text, before)
    lead = newline(text) if at == len(text) and text and not text.endswith("\n") else ""
    return Edit(path, at, at, lead + new.replace("\n", newline(text)) + newline(text))


def delete_lines(path: str, text: str, first: int, last: int) -> Edit:
    """Take lines out."""
    return Edit(path, line_start(text, first), line_start(text, last + 1), "")


def swap(path: str, text: str, line: int, old: str, new: str, last: int = 0) -> tuple[Edit, ...]:
    """Replace the first `old` on a line, or on the lines up to `last`; () where it is not there."""
    begin, end = line_start(text, line), line_start(text, (last or line) + 1)
    at = text.find(old, begin, end)
    return (Edit(path, at, at + len(old), new),) if at >= 0 and old else ()


def scalar(item: Item, new: str) -> tuple[Edit, ...]:
    """Replace a YAML scalar's text; quotes around it stay as they are."""
    if isinstance(item.value, (dict, tuple)) or not item.end:
        return ()
    quote = item.style if item.style in ("'", '"') else ""
    if item.style in ("|", ">"):
        return ()
    return (Edit(item.path, item.start, item.end, quote + new + quote),)


def within(item: Item, text: str, old: str, new: str) -> tuple[Edit, ...]:
    """Replace `old` inside the source of a YAML value."""
    at = text.find(old, item.start, item.end)
    return (Edit(item.path, at, at + len(old), new),) if at >= 0 and item.end else ()


def add_key(mapping: Item, text: str, key: str, value: str) -> tuple[Edit, ...]:
    """Add `key: value` at the end of a block mapping; `value` may have several lines."""
    if mapping.style == "flow" or not mapping.entries:
        return ()
    # What `<<` gives stands at its anchor, which is not the place for a key of this mapping alone.
    own = [
        one for one in mapping.entries.values()
        if one.path == mapping.path and mapping.line <= one.key_line <= mapping.end_line
    ]  # fmt: skip
    last = max(own, key=lambda one: one.key_line) if own else mapping
    begin = last.key_line if own else mapping.line
    lead = " " * (mapping.column - 1)
    end = max(last.end_line, begin)
    lines = text.split("\n")
    while end > begin and not lines[end - 1].strip():
        end -= 1
    while end > begin and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    body = "\n".join(lead + one if one else one for one in f"{key}:{value}".split("\n"))
    return (insert_line(mapping.path, text, end + 1, body),)
