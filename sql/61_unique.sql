-- Unique indexes and exclusion constraints that users made on a stream table. Programs ask for them at every refresh.

-- The columns that they are about, those of expressions and predicates too; NULL if there are none. own: the key of the
-- program itself, which does not count. An index on expressions alone depends on the table as a whole: on every column.
CREATE FUNCTION pgtrickle._unique_columns(id bigint, own oid) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(a.attname::text)
    FROM pgtrickle.pgt_stream_tables s JOIN pg_attribute a ON a.attrelid = s.pgt_relid AND a.attnum > 0
      AND NOT a.attisdropped
    WHERE s.pgt_id = id AND EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = s.pgt_relid AND (i.indisunique OR i.indisexclusion) AND i.indexrelid IS DISTINCT FROM own
          AND (a.attnum = ANY (i.indkey)
               OR EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.pgt_relid
                            AND d.refobjsubid IN (0, a.attnum))))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._unique_columns TO PUBLIC;

-- Checks now what would be checked at COMMIT. Called by refreshes, with the rights of the owner of the table: what a
-- constraint calls is his.
CREATE FUNCTION pgtrickle._check_deferred(stream_table oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT format('%I.%I', n.nspname, c.conname)
                FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
                WHERE c.conrelid = stream_table AND c.contype IN ('u', 'x') AND c.condeferred LOOP
        EXECUTE format('SET CONSTRAINTS %s IMMEDIATE', name);
        EXECUTE format('SET CONSTRAINTS %s DEFERRED', name);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._check_deferred TO PUBLIC;

-- Raises a violation that a program met, explained if the constraint is one of stream table `id` that a user made.
CREATE FUNCTION pgtrickle._raise_violation(id bigint, code text, message text,
                                           detail text, relation text, violated text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ours record;
BEGIN
    SELECT pgtrickle._qualified(s.pgt_relid) AS qualified, format('%I.%I', n.nspname, x.relname) AS index_name,
           k.conname IS NOT NULL AS is_constraint, coalesce(k.contype = 'x', false) AS exclusion
      INTO ours
    FROM pgtrickle.pgt_stream_tables s JOIN pg_class c ON c.oid = s.pgt_relid
    JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = x.relnamespace
    LEFT JOIN pg_constraint k ON k.conindid = x.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
    WHERE s.pgt_id = id AND c.relname = relation AND x.relname = violated
      AND x.relname <> format('pgtrickle_%s_key', id);
    IF NOT FOUND THEN
        RAISE EXCEPTION '%', message USING ERRCODE = code,
            DETAIL = coalesce(nullif(detail, ''), 'The server does not say which rows.'), TABLE = relation,
                CONSTRAINT = violated;
    END IF;
    RAISE EXCEPTION 'stream table % cannot be refreshed: rows of its query violate % %', ours.qualified,
                    CASE WHEN ours.exclusion THEN 'exclusion constraint' ELSE 'unique index' END, ours.index_name
        USING ERRCODE = code, DETAIL = coalesce(nullif(detail, ''), 'The server does not say which rows.'),
            TABLE = relation, CONSTRAINT = violated,
              HINT = format('Correct the rows that it reads, or %s.',
                            CASE WHEN ours.is_constraint THEN format('ALTER TABLE %s DROP CONSTRAINT %I',
                                                                     ours.qualified, violated)
                                 ELSE format('DROP INDEX %s', ours.index_name) END);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._raise_violation TO PUBLIC;
