"""What is asked of a session, and what is put into the scratch database for it, as SQL."""

from __future__ import annotations

SNAPSHOT = """
WITH mine AS MATERIALIZED (
  SELECT l.relation AS oid, json_agg(DISTINCT l.mode) AS modes
  FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
    AND l.relation >= 16384 GROUP BY 1
), named AS (
  SELECT m.oid, m.modes, n.nspname, c.relname, c.relkind, c.oid IS NULL AS gone,
    coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) AS node, coalesce(i.indrelid, 0) AS of_table
  FROM mine m LEFT JOIN pg_catalog.pg_class c ON c.oid = m.oid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
)
SELECT pg_catalog.json_build_object(
  'relations', (SELECT json_agg(json_build_array(oid::bigint, modes, nspname, relname, relkind,
      node::bigint, of_table::bigint, pg_stat_get_xact_numscans(oid),
      pg_stat_get_xact_tuples_returned(oid), pg_stat_get_xact_tuples_inserted(oid),
      pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_deleted(oid)))
    FROM named WHERE nspname IS NULL OR nspname NOT IN
      ('pg_toast', 'pg_catalog', 'information_schema', 'tidegate_rehearsal')),
  'counts', {counts},
  'wal', (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
  'transaction', (SELECT virtualtransaction FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'virtualxid' LIMIT 1),
  'seen', (SELECT json_agg(json_build_array(s.id, s.tag, s.kind, s.identity, s.query, s.locks,
      s.relation) ORDER BY s.id) FROM tidegate_rehearsal.seen s WHERE s.id > {since})
)::text
"""

# Counters of committed transactions stay with the session until it hands them over, which it
# does at most once a second: what a statement adds is told from what was there before it.
COUNTS = """(SELECT json_agg(json_build_array(c.oid::bigint, pg_stat_get_xact_numscans(c.oid),
      pg_stat_get_xact_tuples_returned(c.oid), pg_stat_get_xact_tuples_inserted(c.oid),
      pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)))
    FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'i', 'm')
      AND (pg_stat_get_xact_numscans(c.oid) > 0 OR pg_stat_get_xact_tuples_inserted(c.oid) > 0
        OR pg_stat_get_xact_tuples_updated(c.oid) > 0
        OR pg_stat_get_xact_tuples_deleted(c.oid) > 0))"""

NODES = (
    "SELECT json_object_agg(oid::bigint, relfilenode::bigint)::text FROM pg_catalog.pg_class "
    "WHERE oid >= 16384 AND relkind IN ('r', 'm', 'i', 'S')"
)

SETUP = (
    "CREATE SCHEMA tidegate_rehearsal",
    "CREATE TABLE tidegate_rehearsal.seen (id bigserial PRIMARY KEY, tag text, kind text, "
    "identity text, query text, locks json, relation bigint)",
    "GRANT USAGE ON SCHEMA tidegate_rehearsal TO PUBLIC",
    "GRANT ALL ON ALL TABLES IN SCHEMA tidegate_rehearsal TO PUBLIC",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA tidegate_rehearsal TO PUBLIC",
    """CREATE FUNCTION tidegate_rehearsal.note() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE held json; one record;
BEGIN
  SELECT json_agg(json_build_array(relation::bigint, mode)) INTO held FROM pg_locks
  WHERE locktype = 'relation' AND granted AND pid = pg_backend_pid() AND relation >= 16384;
  IF TG_EVENT = 'table_rewrite' THEN
    INSERT INTO tidegate_rehearsal.seen (tag, kind, query, locks, relation) VALUES
      (TG_TAG, 'rewrite', current_query(), held, pg_event_trigger_table_rewrite_oid()::bigint);
  ELSIF TG_EVENT = 'sql_drop' THEN
    FOR one IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE original LOOP
      INSERT INTO tidegate_rehearsal.seen (tag, kind, identity, query, locks, relation) VALUES
        (TG_TAG, 'drop', one.object_type || ' ' || one.object_identity, current_query(), held,
         one.objid::bigint);
    END LOOP;
  ELSE
    FOR one IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
      INSERT INTO tidegate_rehearsal.seen (tag, kind, identity, query, locks, relation) VALUES
        (TG_TAG, 'command', one.object_type || ' ' || one.object_identity, current_query(), held,
         one.objid::bigint);
    END LOOP;
  END IF;
END $$""",
    # Runs each statement and takes it back; the numbers of those that fail, with the error.
    """CREATE FUNCTION tidegate_rehearsal.tried(words text[], modes text[])
RETURNS TABLE (place integer, error text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. coalesce(array_length(words, 1), 0) LOOP
    place := i;
    BEGIN
      IF modes[i] = 'replica' THEN SET LOCAL session_replication_role = replica; END IF;
      EXECUTE words[i];
      RAISE EXCEPTION USING errcode = 'TG000';
    EXCEPTION WHEN SQLSTATE 'TG000' THEN NULL;
      WHEN OTHERS THEN error := SQLERRM; RETURN NEXT;
    END;
  END LOOP;
END $$""",
    "CREATE EVENT TRIGGER tidegate_rehearsal_end ON ddl_command_end "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    "CREATE EVENT TRIGGER tidegate_rehearsal_drop ON sql_drop "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    "CREATE EVENT TRIGGER tidegate_rehearsal_rewrite ON table_rewrite "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    # A step that sets session_replication_role to replica switches ordinary ones off.
    "ALTER EVENT TRIGGER tidegate_rehearsal_end ENABLE ALWAYS",
    "ALTER EVENT TRIGGER tidegate_rehearsal_drop ENABLE ALWAYS",
    "ALTER EVENT TRIGGER tidegate_rehearsal_rewrite ENABLE ALWAYS",
)
