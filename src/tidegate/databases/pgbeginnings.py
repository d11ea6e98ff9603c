"""What sessions of a role begin with on one database, beside what their login says.

`ALTER DATABASE ... SET` and `ALTER ROLE ... SET` are not in a dump of one database, and "$user"
means another schema for another role. Steps that name their tables without a schema depend on it
(https://www.postgresql.org/docs/current/runtime-config-client.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tidegate.databases.pgwire import quote_identifier, quote_literal

Run = Callable[[str], Sequence[Sequence[object]]]

KEPT = ("search_path", "timezone", "datestyle", "intervalstyle", "default_text_search_config",
        "check_function_bodies", "bytea_output")  # fmt: skip
PATH = "search_path"
_SET = (
    "SELECT coalesce(r.rolname, ''), CASE WHEN s.setdatabase = 0 THEN 0 ELSE 1 END, "
    "unnest(s.setconfig) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole "
    "WHERE (s.setrole = 0 OR r.rolname IS NOT NULL) AND s.setdatabase IN "
    "(0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
_PATH_NOW = "SELECT setting, source, boot_val FROM pg_settings WHERE name = 'search_path'"
_SCHEMAS = "SELECT nspname FROM pg_namespace"
_WORDS = re.compile(r'"(?:[^"]|"")*"|[^,\s]+')


def of_role(run: Run, login: str) -> dict[str, str]:
    """Return what sessions of `login` begin with; where no such role is, those of the one asking.

    A path that the login's own options give counts before all others.
    """
    roles = {str(row[0]) for row in run("SELECT rolname FROM pg_roles")}
    role = login if login in roles else str(run("SELECT current_user")[0][0])
    found = _settings(run, role)
    now, source, default = (str(one) for one in run(_PATH_NOW)[0])
    if source in ("client", "session"):
        found[PATH] = now
    elif PATH not in found:
        found[PATH] = now if source in ("default", "configuration file") else default
    schemas = {str(row[0]) for row in run(_SCHEMAS)}
    path = _for(role, found.pop(PATH), schemas)
    if path != ["public"]:
        found[PATH] = ", ".join(path)
    return found


def _settings(run: Run, role: str) -> dict[str, str]:
    """Return the settings, the strongest of each: the role's in this database come last."""
    rows = [(str(owner), int(str(here)), str(text)) for owner, here, text in run(_SET)
            if owner in ("", role)]  # fmt: skip
    found: dict[str, str] = {}
    for _, _, text in sorted(rows, key=lambda row: (row[0] != "", row[1])):
        name, _, value = text.partition("=")
        if name.lower() in KEPT:
            found[name.lower()] = value
    return found


def _for(role: str, path: str, schemas: Iterable[str]) -> list[str]:
    """Return a search path as it is for a role: "$user" is its own schema, where there is one."""
    out = []
    for word in _WORDS.findall(path):
        if word.strip('"') != "$user":
            out.append(word)
        elif role in schemas:
            out.append(quote_identifier(role))
    return out or ["public"]


def statements(database: str, settings: Mapping[str, str]) -> list[str]:
    """Return what has every session of `database` begin in this way."""
    quoted = quote_identifier(database)
    return [f"ALTER DATABASE {quoted} SET {name} TO {_value(name, value)}"
            for name, value in settings.items()]  # fmt: skip


def _value(name: str, value: str) -> str:
    return value if name == PATH else quote_literal(value)
