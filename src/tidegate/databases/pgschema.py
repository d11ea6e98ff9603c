"""What a PostgreSQL database consists of: its objects as lines, its sizes, its own identity.

Catalogue reads only: they take no lock on a table of the user's, and a role that may connect
may run them (https://www.postgresql.org/docs/current/catalogs.html). The text of a view is the
exception: printing it takes ACCESS SHARE on its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

Run = Callable[[str], Sequence[Sequence[object]]]

OURS = "tidegate_rehearsal"  # the schema that a rehearsal keeps its own notes in

_USERS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tidegate_rehearsal') "
    "AND n.nspname NOT LIKE 'pg_temp%' AND n.nspname NOT LIKE 'pg_toast_temp%'"
)
_NOT_OF_AN_EXTENSION = (
    "NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.objid = {oid} AND e.classid = "
    "'{catalogue}'::regclass AND e.deptype = 'e')"
)


def _own(oid: str, catalogue: str) -> str:
    return _NOT_OF_AN_EXTENSION.format(oid=oid, catalogue=catalogue)


_TABLE = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
# The ledger, and the frameworks' own books: they come with the first step, and stay.
_NOT_LEDGER = (
    "c.relname NOT IN ('tidegate_run', 'tidegate_step', 'tidegate_backfill', 'tidegate_part', "
    "'tidegate_history', 'django_migrations', 'django_migrations_id_seq', 'alembic_version')"
)

# Each part yields (owner, kind, name, definition); the owner is the relation that the object is of,
# 0 for none. Columns are not numbered: taking a column away and bringing it back puts it at the
# end, and no code that names its columns can tell.
_PARTS = (
    "SELECT c.oid AS owner, "
    f"CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' "
    f"END, {_TABLE}, CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE "
    "concat_ws(' ', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END, "
    "CASE WHEN c.relrowsecurity THEN 'row security' END, "
    "CASE WHEN c.relforcerowsecurity THEN 'forced' END, "
    "'partition by ' || pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid)) END "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_USERS} AND {_NOT_LEDGER} "
    f"AND {_own('c.oid', 'pg_class')}",
    f"SELECT a.attrelid AS owner, 'column', {_TABLE} || '.' || quote_ident(a.attname), "
    "concat_ws(' ', format_type(a.atttypid, a.atttypmod), "
    "CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || quote_ident(co.collname) END, "
    "CASE WHEN a.attnotnull THEN 'NOT NULL' END, "
    "CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END, "
    "CASE WHEN a.attgenerated <> '' THEN 'GENERATED ' || pg_get_expr(d.adbin, d.adrelid) "
    "WHEN d.adbin IS NOT NULL THEN 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END) "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_collation co ON co.oid = a.attcollation "
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    f"WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {_USERS} "
    f"AND {_NOT_LEDGER} AND {_own('c.oid', 'pg_class')}",
    f"SELECT k.conrelid AS owner, 'constraint', {_TABLE} || '.' || quote_ident(k.conname), "
    "pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE k.contype <> 'n' AND {_USERS} AND {_NOT_LEDGER}",
    "SELECT x.indrelid AS owner, 'index', quote_ident(n.nspname) || '.' || quote_ident(i.relname), "
    "concat_ws(' ', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'INVALID' END) "
    "FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
    "JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE {_USERS} AND {_NOT_LEDGER} AND {_own('c.oid', 'pg_class')}",
    "SELECT s.seqrelid AS owner, "
    f"'sequence', {_TABLE}, concat_ws(' ', format_type(s.seqtypid, NULL), "
    "'start', s.seqstart, 'by', s.seqincrement, 'to', s.seqmax, "
    "CASE WHEN s.seqcycle THEN 'cycle' END) FROM pg_sequence s "
    "JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE {_USERS} AND {_NOT_LEDGER} AND {_own('c.oid', 'pg_class')}",
    "SELECT g.tgrelid AS owner, "
    "'trigger', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || "
    "quote_ident(g.tgname), pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' "
    "ELSE ' ' || g.tgenabled::text END FROM pg_trigger g "
    "JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE NOT g.tgisinternal AND {_USERS}",
    "SELECT 0::oid AS owner, "
    "'function', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || "
    "pg_get_function_identity_arguments(p.oid) || ')', CASE WHEN p.prokind IN ('f', 'p') "
    "THEN pg_get_functiondef(p.oid) ELSE p.prokind::text END FROM pg_proc p "
    f"JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_USERS} AND {_own('p.oid', 'pg_proc')}",
    "SELECT 0::oid AS owner, "
    "CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'type' END, "
    "quote_ident(n.nspname) || '.' || quote_ident(t.typname), CASE t.typtype WHEN 'e' THEN "
    "(SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) "
    "FROM pg_enum e WHERE e.enumtypid = t.oid) WHEN 'd' THEN concat_ws(' ', "
    "format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END, "
    "'DEFAULT ' || t.typdefault, (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' "
    "ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid)) "
    "ELSE t.typtype::text END FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    f"WHERE t.typtype IN ('e', 'd', 'r') AND {_USERS} AND {_own('t.oid', 'pg_type')}",
    "SELECT p.polrelid AS owner, "
    "'policy', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || "
    "quote_ident(p.polname), concat_ws(' ', p.polcmd::text, pg_get_expr(p.polqual, p.polrelid), "
    "pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p "
    "JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE {_USERS}",
    "SELECT coalesce((SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = c.oid), c.oid) "
    "AS owner, 'comment', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || "
    "coalesce('.' || quote_ident(a.attname), ''), o.description FROM pg_description o "
    "JOIN pg_class c ON c.oid = o.objoid AND o.classoid = 'pg_class'::regclass "
    "JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a "
    f"ON a.attrelid = c.oid AND a.attnum = o.objsubid AND a.attnum > 0 WHERE {_USERS}",
    "SELECT 0::oid AS owner, 'schema', quote_ident(n.nspname), '' FROM pg_namespace n "
    f"WHERE {_USERS} AND {_own('n.oid', 'pg_namespace')}",
    "SELECT 0::oid AS owner, 'extension', quote_ident(e.extname), '' FROM pg_extension e",
)
RELATIONS = (
    "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, "
    "coalesce(pg_relation_filenode(c.oid), 0)::bigint, coalesce(i.indrelid, 0)::bigint "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_index i ON i.indexrelid = c.oid "
    f"WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 'v', 'f') AND {_USERS}"
)

# Asked before the rows of a part are: PostgreSQL gives such a condition a node of its own.
_BARE = "(SELECT set_config('search_path', 'pg_catalog', true)) IS NOT NULL"

COLUMNS = (
    "SELECT a.attrelid::bigint, a.attnum::int, n.nspname::text, c.relname::text, a.attname::text, "
    "format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
    "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND {_USERS} "
    f"AND {_NOT_LEDGER}"
)

# Before PostgreSQL 14 a table that was never analysed has 0 rows like an empty one, and not -1.
_LOOKED_AT = (
    "(c.reltuples > 0 OR s.n_live_tup > 0 OR c.reltuples = 0 AND "
    "(current_setting('server_version_num')::int >= 140000 OR coalesce(s.last_vacuum, "
    "s.last_autovacuum, s.last_analyze, s.last_autoanalyze) IS NOT NULL))"
)

# relpages and reltuples are what VACUUM and ANALYZE last wrote: asking for the real size of a
# relation would take a lock on it, and queue behind whoever holds it.
SIZES = (
    "SELECT n.nspname::text, c.relname::text, c.relkind::text, "
    "greatest(c.reltuples, coalesce(s.n_live_tup, 0))::bigint, "
    "c.relpages::bigint * current_setting('block_size')::bigint, "
    "coalesce((SELECT sum(i.relpages) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
    "WHERE x.indrelid = c.oid), 0)::bigint * current_setting('block_size')::bigint, "
    f"{_LOOKED_AT} "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid "
    f"WHERE c.relkind IN ('r', 'm') AND {_USERS}"
)


_PARTITIONS = (
    "SELECT n.nspname::text, c.relname::text, m.nspname::text, r.relname::text FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class r "
    "ON r.oid = pg_partition_root(c.oid) JOIN pg_namespace m ON m.oid = r.relnamespace "
    "WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f')"
)


_STRONG = (
    "'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', "
    "'AccessExclusiveLock'"
)
# Whoever changes a table or an index holds one of these locks on it up to the commit.
TOUCHED = (
    "SELECT DISTINCT coalesce(i.indrelid, l.relation)::bigint FROM pg_locks l "
    "LEFT JOIN pg_index i ON i.indexrelid = l.relation WHERE l.locktype = 'relation' "
    "AND l.pid = pg_backend_pid() AND l.relation >= 16384 "
    f"AND l.mode IN ({_STRONG})"
)


def lines(run: Run) -> list[str]:
    """Return every object of the database as one line of text, sorted."""
    return sorted(line for _, line in owned(run))


def lines_after(run: Run, before: Sequence[tuple[int, str]]) -> list[str]:
    """Return `lines` in the transaction of a change to tables, by reading these tables alone.

    `before` is what `owned` said before the change. The change holds its locks meanwhile, and a
    large schema takes long to read.
    """
    touched = {int(str(row[0])) for row in run(TOUCHED)}
    rest = [line for owner, line in before if owner not in touched]
    return sorted([*rest, *(line for _, line in owned(run, touched))])


def owned(run: Run, among: Collection[int] | None = None) -> list[tuple[int, str]]:
    """Return every object as one line of text, with the oid of the relation that it belongs to.

    Where `among` is given, of these relations alone. The names that PostgreSQL prints depend on the
    search path, which is empty for this statement: a setting of the session's would stay in a
    pooler's session, for somebody else. In a transaction it is put back afterwards.
    """
    which, parts = _BARE, list(_PARTS)
    if among is not None:
        if not among:
            return []
        which += f" AND one.owner IN ({', '.join(map(str, sorted(among)))})"
        parts = [part for part in _PARTS if "SELECT 0::oid AS owner" not in part]
    before = str(run("SELECT current_setting('search_path')")[0][0]).replace("'", "''")
    rows = run(" UNION ALL ".join(f"(SELECT * FROM ({part}) one WHERE {which})" for part in parts))
    run(f"SELECT set_config('search_path', '{before}', true)")
    return [
        (
            int(str(owner)),
            f"{kind} {name}: {' '.join(str(definition or '').split())}".rstrip(" :"),
        )
        for owner, kind, name, definition in rows
    ]


def sizes(run: Run) -> dict[str, dict[str, int]]:
    """Return rows and bytes of each table by the server's statistics; names as `shown` has them.

    A table that was never analysed is left out: nothing is known of it.
    """
    return {
        shown(str(schema), str(name)): {
            "rows": int(str(rows)),
            "bytes": int(str(bytes_)),
            "index_bytes": int(str(index_bytes)),
        }
        for schema, name, _kind, rows, bytes_, index_bytes, known in run(SIZES)
        if known in (True, "t")
    }


def partitions(run: Run) -> dict[str, str]:
    """Return the partitioned table that each partition is of, at the root; names as `shown`."""
    return {shown(str(row[0]), str(row[1])): shown(str(row[2]), str(row[3]))
            for row in run(_PARTITIONS)}  # fmt: skip


_MAY_ASK = (
    "SELECT coalesce(has_function_privilege(to_regprocedure('pg_catalog.pg_control_system()'), "
    "'EXECUTE'), false)::text"
)


def identity(run: Run) -> str:
    """Return what the server says it is: its cluster and the database, not the address."""
    cluster = "SELECT system_identifier FROM pg_control_system()"
    if str(run(_MAY_ASK)[0][0]) != "true":  # not granted on some hosted servers
        cluster = ("SELECT coalesce(inet_server_addr()::text, 'local') || ':' || "
                   "current_setting('port')")  # fmt: skip
    which = run(cluster)[0][0]
    oid = run("SELECT oid::bigint, datname FROM pg_database WHERE datname = current_database()")[0]
    return f"{which}/{oid[1]}/{oid[0]}"


def shown(schema: str, name: str) -> str:
    """Return a relation's name as people write it: without `public`."""
    return name if schema == "public" else f"{schema}.{name}"


def difference(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the lines that went (`- …`) and came (`+ …`), in the order of names."""
    old, new = set(before), set(after)
    marked = [(line, "-") for line in old - new] + [(line, "+") for line in new - old]
    return [f"{mark} {line}" for line, mark in sorted(marked, key=lambda m: (m[0], m[1] == "+"))]


def as_mapping(rows: Sequence[Sequence[object]]) -> Mapping[int, tuple[str, str, str, int, int]]:
    """Return `RELATIONS` by oid: (schema, name, kind, filenode, table of an index)."""
    return {
        int(str(oid)): (str(schema), str(name), str(kind), int(str(node)), int(str(table)))
        for oid, schema, name, kind, node, table in rows
    }
