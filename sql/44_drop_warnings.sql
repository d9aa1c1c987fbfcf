-- Who drops what stream tables need is told so, in the command that does it.

-- Warns about the objects of pg_event_trigger_dropped_objects(): called by the event trigger on sql_drop, before it
-- follows the drop. Stream tables that are dropped with it are not meant.
CREATE FUNCTION pgtrickle._warn_of_drop() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    needed record;
BEGIN
    WITH dropped AS MATERIALIZED (
        SELECT d.classid, d.objid, d.objsubid, format('%s %s', d.object_type, d.object_identity) AS what
        FROM pg_event_trigger_dropped_objects() AS d
        WHERE NOT d.is_temporary
          AND d.object_type NOT IN ('index', 'sequence', 'toast table', 'trigger', 'rule', 'default value')
          AND d.schema_name IS DISTINCT FROM 'pgtrickle_state' AND d.schema_name IS DISTINCT FROM 'pgtrickle_changes'),
    needs AS (
        SELECT o.what, d.pgt_id FROM dropped o JOIN pgtrickle.pgt_dependencies d ON d.source_relid = o.objid
        WHERE o.classid = 'pg_class'::regclass AND (o.objsubid = 0 OR o.objsubid = ANY (d.columns))
        UNION
        SELECT o.what, f.pgt_id FROM dropped o JOIN pgtrickle.pgt_facts f ON f.classid = o.classid AND f.objid = o.objid
        WHERE o.classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_collation'::regclass)
          AND f.kind = 'definition' AND f.used_by IN ('query', 'view')
          AND NOT EXISTS (SELECT FROM pg_class c WHERE c.reltype = f.objid)),
    named AS (
        SELECT n.what, pgtrickle._qualified(s.pgt_relid) AS name FROM needs n JOIN pgtrickle.pgt_stream_tables s
        USING (pgt_id)
        WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = s.pgt_relid))
    SELECT string_agg(DISTINCT n.name, ', ') AS tables, count(DISTINCT n.name) AS n,
           (SELECT string_agg(x.line, E'\n' ORDER BY x.line) FROM (
                SELECT format('%s is needed by %s.', m.what, string_agg(m.name, ', ' ORDER BY m.name)) AS line
                FROM named m GROUP BY m.what) AS x) AS what
      INTO needed FROM named n;
    IF needed.n > 0 THEN
        RAISE WARNING 'stream table% % cannot be refreshed any more',
            CASE WHEN needed.n > 1 THEN 's' ELSE '' END, needed.tables
            USING DETAIL = needed.what,
                  HINT = 'The rows stay as they are. What is put back under the same name is taken; otherwise '
                         'pgtrickle.alter_stream_table(..., query => ...) '
                         'or pgtrickle.drop_stream_table().';
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgtrickle could not tell who needs what was dropped: %', SQLERRM;
END
$$;
REVOKE EXECUTE ON FUNCTION pgtrickle._warn_of_drop FROM PUBLIC;
