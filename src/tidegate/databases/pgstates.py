"""What a PostgreSQL error at connection time means for someone who waits for the database.

The codes are those of the manual's appendix A (https://www.postgresql.org/docs/current/
errcodes-appendix.html). Decisions are taken on the code, because the server's text is translated
(`lc_messages`). The one exception is PgBouncer: see `_BOUNCER`.
"""

from __future__ import annotations

import re

from tidegate.model.readiness import Permanent, Transient

_REASONS = {
    "57P03": "the server is starting up, shutting down or recovering",
    "57P01": "the server is shutting down",
    "57P02": "the server is restarting after a crash",
    "53300": "the server has no free connection (too many connections)",
    "25006": "the server is a standby, still in recovery (read-only)",
}

_TRANSIENT_CLASSES = {
    "08": "the connection broke",
    "40": "the transaction was rolled back by the server",
    "53": "the server is short of a resource",
    "55": "the server is not in the state to do that yet",
    "57": "an operator intervened at the server",
    "XX": "the server reports an internal error",
}

# PgBouncer uses 08P01 (protocol violation) for nearly everything it says itself, a wrong name as
# well as a timeout; its texts are not translated, so here, and only here, the text decides.
_BOUNCER = (
    ("no such database", "3D000"),
    ("no such user", "28000"),
    ("authentication failed", "28P01"),
)


def explain(
    sqlstate: str, message: str, *, user: str, dbname: str, host: str, asked: str = ""
) -> Transient | Permanent:
    """The exception to raise for an error with this SQLSTATE and text.

    It came while connecting, or, with `asked`, as the answer to that statement.

    An unknown code is Transient in the classes that speak of the server's condition
    (`_TRANSIENT_CLASSES`) and Permanent in all others.
    """
    code = _effective(sqlstate, message)
    if code in _REASONS:
        return Transient(_REASONS[code])
    if code[:2] in _TRANSIENT_CLASSES:
        return Transient(f"{_TRANSIENT_CLASSES[code[:2]]} ({code}: {message})")
    what, meaning, advice = _PERMANENT.get(code, _OTHER)
    if asked:
        what, meaning, advice = _asked(code, asked)
    names = {"user": user, "dbname": dbname, "host": host, "said": f"{message} ({sqlstate})"}
    return Permanent(what.format(**names), meaning.format(**names), advice.format(**names))


def _asked(code: str, sql: str) -> tuple[str, str, str]:
    """The message for a statement that was refused after the login: what it lacks, by its verb."""
    verb = sql.split(None, 1)[0].upper()
    table = _TABLE.search(sql)
    if code != "42501":
        return _REFUSED
    if verb not in ("SELECT", "INSERT", "UPDATE", "DELETE") or table is None:
        return (_MAY_NOT, "The role logs in, and lacks the privilege.",
                'Grant it as the owner of what is named, or connect as that owner.')  # fmt: skip
    schema, dot, _ = table[1].rpartition(".")
    use = f' (and GRANT USAGE ON SCHEMA {schema} TO "{{user}}")' if dot else ""
    return (_MAY_NOT, f"The role logs in, and may not {verb} on {table[1]}.",
            f'Grant it as its owner: GRANT {verb} ON {table[1]} TO "{{user}}"{use}.')  # fmt: skip


_TABLE = re.compile(
    r"\b(?:FROM|INTO|UPDATE)\s+(?:ONLY\s+)?((?:\"[^\"]+\"|\w+)(?:\.(?:\"[^\"]+\"|\w+))?)", re.I
)
_MAY_NOT = 'User "{user}" may not do that in database "{dbname}" at {host}: {said}.'
_REFUSED = (
    'PostgreSQL at {host} refuses a question about database "{dbname}": {said}.',
    "The login is accepted. The code says that this does not go away by waiting.",
    "Look the code up in the manual's appendix A, or in the server's log, which says more.",
)


def _effective(sqlstate: str, message: str) -> str:
    """The code that PostgreSQL itself would have used for what PgBouncer says with 08P01."""
    if sqlstate != "08P01":
        return sqlstate
    return next((code for text, code in _BOUNCER if text in message), sqlstate)


_PERMANENT = {
    "28P01": (
        'PostgreSQL at {host} refuses the password of user "{user}".',
        "The password that the project gives is not the one the server has. A volume keeps"
        " the password of its first start: changing POSTGRES_PASSWORD later does not change it.",
        "Correct the password where the project's settings take it from, or set the server's with"
        " ALTER ROLE \"{user}\" PASSWORD '…'.",
    ),
    "28000": (
        'PostgreSQL at {host} does not let user "{user}" in: {said}.',
        "Either the role does not exist or may not log in, or pg_hba.conf has no line for this"
        " user, database and address (or only one that asks for TLS, or only one without).",
        'Check that the role "{user}" exists with LOGIN; then pg_hba.conf on the server, and'
        " sslmode in the connection settings.",
    ),
    "3D000": (
        'PostgreSQL at {host} has no database "{dbname}".',
        "The server is up and the name is wrong, or nobody has created the database. A volume"
        " that already holds data ignores POSTGRES_DB.",
        'Correct the name in the connection settings, or create it: CREATE DATABASE "{dbname}".',
    ),
    "42501": (
        'User "{user}" may not connect to database "{dbname}" at {host}: {said}.',
        "The role exists but lacks a privilege.",
        'Grant it as the owner: GRANT CONNECT ON DATABASE "{dbname}" TO "{user}".',
    ),
    "0A000": (
        "The server at {host} does not support what the connection asks for: {said}.",
        "A pooler or a compatible server often lacks a startup parameter that PostgreSQL has.",
        "Remove the option from the connection settings, or connect to PostgreSQL directly.",
    ),
    "26000": (
        "The server at {host} lost a prepared statement: {said}.",
        "A pooler in transaction mode is between us and PostgreSQL and hands each statement to"
        " another session.",
        "Set TIDEGATE_DIRECT_URL to PostgreSQL itself, not the pooler, for the gate.",
    ),
}

_OTHER = (
    'PostgreSQL at {host} refuses the connection of user "{user}" to "{dbname}": {said}.',
    "The code says that this does not go away by waiting.",
    "Look the code up in the manual's appendix A, or in the server's log, which says more.",
)
