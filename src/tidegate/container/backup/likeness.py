"""A new database like the old one: owner, encoding, locale, tablespace, settings and grants.

No dump of a database has any of these.
"""

from __future__ import annotations

from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_identifier, quote_literal

PROVIDERS = {"i": "icu", "b": "builtin"}


def create(admin: Session, fresh: str, like: str) -> str:
    """Return the SQL for a new database: as the one named `like`, or as the server makes them."""
    sql = f"CREATE DATABASE {quote_identifier(fresh)} TEMPLATE template0"
    if not like:
        return sql
    # The provider came with version 15, and its locale's column was renamed in 17.
    ((owner, encoding, collate, ctype, provider, locale, space),) = admin.query(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, "
        "to_jsonb(d) ->> 'datlocprovider', "
        "coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), "
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
    kind = PROVIDERS.get(provider or "")
    if kind and locale:
        parts.append(f"LOCALE_PROVIDER {kind} {kind}_LOCALE {quote_literal(locale)}")
    return f"{sql} {' '.join(parts)}"


def dress(admin: Session, old: str, fresh: str) -> None:
    """Give the new database the settings and grants of the old one: no dump has them."""
    rows = admin.query(
        "SELECT coalesce(r.rolname, ''), unnest(s.setconfig) FROM pg_db_role_setting s "
        "JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole "
        f"WHERE d.datname = {quote_literal(old)}"
    )
    for role, pair in rows:
        name, _, value = str(pair).partition("=")
        whose = f"ROLE {quote_identifier(role)} IN DATABASE" if role else "DATABASE"
        many = name in ("search_path", "temp_tablespaces", "session_preload_libraries",
                        "local_preload_libraries", "unix_socket_directories")  # fmt: skip
        admin.query(
            f"ALTER {whose} {quote_identifier(fresh)} SET {quote_identifier(name)} TO "
            f"{value if many else quote_literal(value)}"
        )
    grants = admin.query(
        "SELECT coalesce(quote_ident(r.rolname), 'PUBLIC'), a.privilege_type FROM pg_database d, "
        "aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee "
        f"WHERE d.datname = {quote_literal(old)}"
    )
    if grants:
        admin.query(f"REVOKE ALL ON DATABASE {quote_identifier(fresh)} FROM PUBLIC")
    for grantee, right in grants:
        admin.query(f"GRANT {right} ON DATABASE {quote_identifier(fresh)} TO {grantee}")
