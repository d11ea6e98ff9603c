"""Streams that can't show every sign: PowerShell's pipes, a terminal of an old code page.

Python would end with an error at the first sign that the stream's encoding does not have; a log of
somebody's service may hold any.
"""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper

PLAIN = {
    "\u2026": "...", "\u2192": "->", "\u2013": "-", "\u2014": "-", "\u201c": '"', "\u201d": '"',
    "\u2019": "'", "\u00b7": "-", "\u2264": "<=", "\u2265": ">=", "\u26a0": "!",
    "\U0001f6d1": "!!", "\ufe0f": "",
}  # fmt: skip


def readable() -> None:
    """Make both streams write what they lack in signs that they have."""
    codecs.register_error("tidegate", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="tidegate")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    out = "".join(PLAIN.get(sign, sign) for sign in text)
    return out.encode("ascii", "backslashreplace").decode("ascii"), error.end
