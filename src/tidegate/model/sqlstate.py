"""The SQLSTATE of an error, whichever driver and whatever around it raised it.

psycopg 3 and asyncpg call it `sqlstate`, psycopg2 `pgcode`; SQLAlchemy keeps the driver's error as
`orig`, Django as the cause.
"""

from __future__ import annotations

LOCK_REFUSED = "55P03"  # lock_timeout went by, or NOWAIT found it taken


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE that any driver's error in the chain carries, or an empty string."""
    one: BaseException | None = error
    while one is not None:
        for source in (one, getattr(one, "orig", None)):
            for name in ("sqlstate", "pgcode"):
                value = getattr(source, name, None)
                if isinstance(value, str) and value:
                    return value
        one = one.__cause__ or one.__context__
    return ""
