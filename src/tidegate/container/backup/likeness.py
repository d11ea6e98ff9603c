"""A new database like the old one: owner, encoding, locale, tablespace, settings and grants.

No dump of a database has any of these.
"""

from __future__ import annotations

from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.model.readiness import Permanent, Transient

ICU, LIBC, BUILTIN = "i", "c", "b"
PROVIDERS = {ICU: "icu", BUILTIN: "builtin"}
LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries",
         "local_preload_libraries", "unix_socket_directories")  # fmt: skip


def create(admin: Session, fresh: str, like: str) -> str:
    """Return the SQL for a new database: as the one named `like`, or as the server makes them."""
    sql = f"CREATE DATABASE {quote_identifier(fresh)} TEMPLATE template0"
    if not like:
        return sql
    # The provider came with version 15, ICU's rules with 16; its locale was renamed in 17.
    ((owner, encoding, collate, ctype, provider, locale, rules, space),) = admin.query(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, "
        "to_jsonb(d) ->> 'datlocprovider', "
        "coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), "
        "to_jsonb(d) ->> 'daticurules', "
        "CASE WHEN spcname <> 'pg_default' AND has_tablespace_privilege(t.oid, 'CREATE') "
        "THEN spcname END "
        "FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace "
        f"WHERE datname = {quote_literal(like)}"
    )
    parts = [f"OWNER {quote_identifier(str(owner))}", f"ENCODING {quote_literal(str(encoding))}"]
    if collate and ctype:
        parts += [f"LC_COLLATE {quote_literal(collate)}", f"LC_CTYPE {quote_literal(ctype)}"]
    if space:  # to name even pg_default takes a privilege
        parts.append(f"TABLESPACE {quote_identifier(space)}")
    if provider == LIBC:
        parts.append("LOCALE_PROVIDER libc")
    kind = PROVIDERS.get(provider or "")
    if kind and locale:
        parts.append(f"LOCALE_PROVIDER {kind} {kind}_LOCALE {quote_literal(locale)}")
    if kind and rules:
        parts.append(f"ICU_RULES {quote_literal(rules)}")
    return f"{sql} {' '.join(parts)}"


def dress(admin: Session, old: str, fresh: str) -> list[str]:
    """Give the new database the settings and grants of the old one: no dump has them.

    Returns what this role may not give, as SQL for when the new one has the old one's name.
    """
    refused = []
    for sql in (*_settings(admin, old), *_grants(admin, old)):
        try:
            admin.query(sql.replace(PLACE, quote_identifier(fresh)))
        except (Transient, Permanent):
            refused.append(sql.replace(PLACE, quote_identifier(old)))
    return refused


PLACE = "\0"
"""Stands for the name of the database: no name and no value has this character."""


def _settings(admin: Session, old: str) -> list[str]:
    rows = admin.query(
        "SELECT coalesce(r.rolname, ''), unnest(s.setconfig) FROM pg_db_role_setting s "
        "JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole "
        f"WHERE d.datname = {quote_literal(old)}"
    )
    out = []
    for role, pair in rows:
        name, _, value = str(pair).partition("=")
        whose = f"ROLE {quote_identifier(role)} IN DATABASE" if role else "DATABASE"
        said = value if name in LISTS and value else quote_literal(value)
        out.append(f"ALTER {whose} {PLACE} SET {quote_identifier(name)} TO {said}")
    ((limit,),) = admin.query(
        f"SELECT datconnlimit FROM pg_database WHERE datname = {quote_literal(old)}"
    )
    if limit != "-1":
        out.append(f"ALTER DATABASE {PLACE} CONNECTION LIMIT {limit}")
    return out


def _grants(admin: Session, old: str) -> list[str]:
    grants = admin.query(
        "SELECT coalesce(quote_ident(r.rolname), 'PUBLIC'), a.privilege_type, a.is_grantable "
        "FROM pg_database d, aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        f"WHERE d.datname = {quote_literal(old)}"
    )
    out = [f"REVOKE ALL ON DATABASE {PLACE} FROM PUBLIC"] if grants else []
    for grantee, right, pass_on in grants:
        more = " WITH GRANT OPTION" if pass_on in ("t", "True") else ""
        out.append(f"GRANT {right} ON DATABASE {PLACE} TO {grantee}{more}")
    return out


def comment(admin: Session, old: str, fresh: str) -> str:
    """Return the SQL that gives the new database the old one's comment, or none."""
    ((text,),) = admin.query(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database "
        f"WHERE datname = {quote_literal(old)}"
    )
    said = quote_literal(str(text)) if text else "NULL"
    return f"COMMENT ON DATABASE {quote_identifier(fresh)} IS {said}"


def staying(admin: Session, old: str) -> list[str]:
    """Say what is bound to the old database and stays with it: replication."""
    name = quote_literal(old)
    slots = admin.query(
        f"SELECT slot_name FROM pg_replication_slots WHERE database = {name} ORDER BY 1"
    )
    subscriptions = admin.query(
        "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid "
        f"WHERE datname = {name} AND subenabled ORDER BY 1"
    )
    out = [f"replication slot {slot} stays with the old database: its reader gets nothing from "
           "the new one until it has a slot there" for (slot,) in slots]  # fmt: skip
    return out + [
        f"subscription {one} goes on in the old database, and is disabled in the new one: disable "
        "it there before it is enabled here"
        for (one,) in subscriptions
    ]
