"""Secrets out of text: wherever they stand, and words that are one only in a secret's place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SHORTEST = 3
_WORD = re.compile(r"[a-z]+([_-][a-z]+)*")  # as a service, a role, a database is called
_PLACE = r"(?i:(?:pass\w*|pwd|secret|token|key|auth)\W{1,4})"
_NAMES = re.compile(r"PASS|_PWD|SECRET|TOKEN|CREDENTIAL|(?<![A-Z])KEY|DSN")


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with each secret masked.

    A secret that reads like a plain name (`app`, `postgres`) is masked only where a secret stands:
    in a URL's login, behind a word such as `password`. Masked elsewhere, in the name of a service
    that is called the same, the stars would be what tells it.
    """
    for secret in secrets:
        if len(secret) < SHORTEST or secret not in text:
            continue
        if len(secret) < 12 and _WORD.fullmatch(secret):
            own = re.escape(secret)
            text = re.sub(rf"(?<=:){own}(?=@)", "***", text)
            text = re.sub(rf"({_PLACE}){own}(?![\w-])", r"\1***", text)
        else:
            text = text.replace(secret, "***")
    return text


def of_environ(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values that the environment's own names call secret, the longest first."""
    found = {value for name, value in environ.items() if _NAMES.search(name) and len(value) > 5}
    return tuple(sorted(found, key=len, reverse=True))
