-- Prints docs/SQL_REFERENCE.md from the comments of the installed functions and views. In them a line that begins with two
-- spaces goes on with the one before it. psql -XAt -f; PGT_SQL installed.
\pset format unaligned
\pset tuples_only on
\pset recordsep '\n'
SELECT $$# SQL reference

Generated from the comments in `sql/` by `docs/generate/sql_reference.sh`; do not edit.

Everything is in schema `pgtrickle`. Names of stream tables are SQL names: `schema.table`, with double quotes where SQL needs
them; without a schema they follow the `search_path`. All functions run with the caller's rights. Errors carry MESSAGE,
DETAIL and HINT. What queries are maintained incrementally is listed in the README; `pgtrickle validate` tells for yours.

## Functions
$$;
SELECT format(E'### `%s`\n\n```sql\n%s(%s)%s\n```\n\n%s\n', p.proname,
              CASE p.prokind WHEN 'p' THEN 'CALL pgtrickle.' ELSE 'pgtrickle.' END || p.proname,
              pg_get_function_arguments(p.oid),
              CASE p.prokind WHEN 'p' THEN '' ELSE ' -> ' || pg_get_function_result(p.oid) END,
              regexp_replace(regexp_replace(d.description, E'\n  +', ' ', 'g'), E'(?<!\n)\n(?!\n)', E'  \n', 'g'))
FROM pg_proc p JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.proname !~ '^_'
ORDER BY p.prokind = 'p', p.proname, pg_get_function_identity_arguments(p.oid);
SELECT $$## Options of stream tables

What the functions that create and alter take; `create_stream_table` says what each means. In `alter_stream_table` NULL leaves an
option as it is.

| option | type | default | changed later | taken back by | `pgtrickle create`, `alter` |
|---|---|---|---|---|---|$$;
SELECT format('| `%s` | %s | %s | %s | %s | %s |', o.option, o.type, coalesce(o.initial, '-'),
              CASE WHEN o.initial IS NULL THEN 'only' WHEN o.alters THEN 'yes' ELSE 'no' END,
              coalesce(o.taken_back_by, '-'), coalesce('`' || o.flag || '`', '-'))
FROM pgtrickle._table_options() AS o;
SELECT E'\n## Views and tables\n';
SELECT format(E'### `%s`\n\n%s\n\nColumns: %s\n', c.relname, coalesce(regexp_replace(obj_description(c.oid, 'pg_class'), E'\n  +', ' ', 'g'), ''),
              (SELECT string_agg(format('`%s` %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class c WHERE c.relnamespace = 'pgtrickle'::regnamespace AND c.relkind IN ('r', 'v')
  AND c.relname IN ('stream_tables', 'pgt_stream_tables', 'pgt_frontiers', 'pgt_sources', 'pgt_capture_rights', 'pgt_dependencies', 'pgt_refresh_stats', 'pgt_refresh_history', 'pgt_daemons', 'pgt_trusted_owners')
ORDER BY c.relkind DESC, c.relname;
