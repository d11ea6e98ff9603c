"""A Python file's bytes as text, as Python itself decodes them."""

from __future__ import annotations

import codecs

NEAR = 400  # bytes that hold the two lines in which a cookie may stand


def decoded(data: bytes) -> tuple[str, str]:
    """Return the text, without its byte order mark, and the encoding to write it in again."""
    if not data.startswith(codecs.BOM_UTF8) and b"coding" not in data[:NEAR]:
        return data.decode("utf-8", "replace"), "utf-8"
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8"
    return data.decode(encoding, "replace"), encoding
