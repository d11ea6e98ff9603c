"""The password in a URL holds a character that ends it.

`/`, `#` and `?` end the part of a URL in which the password stands, `@` ends the password: what is behind is taken for the host or the port.
Escape it (`@` is `%40`, `/` is `%2F`, `#` is `%23`, `?` is `%3F`), or choose a password of letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Given

SEVERITY = "error"
ERRORS = (
    r"invalid literal for int\(\) with base 10",
    r"Port could not be cast to integer value",
    r"could not translate host name \"[^\"]*@",
    r"Could not parse SQLAlchemy URL",
    r"invalid port number",
    r"missing \"?@\"? in",
)
PRINTED = "ValueError: Port could not be cast to integer value as 'pa'"
WHEN = "when the settings are loaded, or at the first connection"
BAD = {
    "compose.yaml": "services:\n  web:\n    image: example/shop:1.0\n    environment:\n      DATABASE_URL: postgresql://shop:pa/ss@db/shop\n"
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("pa/ss", "pa%2Fss")}
AT = "compose.yaml:5"
_AUTHORITY = re.compile(
    r"^(postgres\w*|mysql|mariadb|redis|rediss|amqps?)(\+\w+)?://(?P<rest>.*)$", re.S
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield URLs in which a password has a reserved character."""
    for service in project.services:
        for given in service.environment.values():
            bad = _reserved(given)
            if bad:
                yield Problem(
                    given.place,
                    f"The password in {given.name} holds {bad}, which ends it: the rest is taken for host and port.",
                    "escape the password: "
                    + ", ".join(
                        f"{char} is %{ord(char):02X}" for char in bad.split() if len(char) == 1
                    ),
                    edits=_mend(project, given),
                )


def _mend(project: ProjectFiles, given: Given) -> tuple[Edit, ...]:
    """Escape the password where the file says it literally, and once."""
    password = _password(given)
    text = project.read(given.place.path) or ""
    line = text.split("\n")[given.place.line - 1] if given.place.line else ""
    if not password or "$" in password or line.count(password) != 1:
        return ()
    escaped = re.sub(r"[/#?@]", lambda found: f"%{ord(found[0]):02X}", password)
    return edits.swap(given.place.path, text, given.place.line, password, escaped)


def _password(given: Given) -> str:
    found = _AUTHORITY.match(given.value or "")
    return found["rest"].rpartition("@")[0].partition(":")[2] if found else ""


def _reserved(given: Given) -> str:
    found = _AUTHORITY.match(given.value or "")
    if not found or "@" not in found["rest"]:
        return ""
    before = found["rest"].rpartition("@")[0]
    if not before or ":" not in before:
        return ""
    password = before.partition(":")[2]
    # A later @ can stand in the query; then nothing before it is a password.
    if re.match(r"^[^/?#@]*@[^/@]+/", found["rest"]) and "@" not in password:
        return ""
    return " ".join(dict.fromkeys(char for char in password if char in "/#?@"))
