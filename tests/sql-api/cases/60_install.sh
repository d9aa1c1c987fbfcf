#!/usr/bin/env bash
# ways: plain extension
# Installing twice, dump and restore, removing
set -euo pipefail
db=$1 way=$2
psql() { "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 "$@"; }
fail() { echo "$*" >&2; exit 1; }

out=$(psql -d "$db" --single-transaction -f "$WORK/install.sql" 2>&1) && fail "installed twice"
grep -q "pgtrickle is already installed in database" <<<"$out" || fail "unclear: $out"
if [ "$way" = plain ]; then
  out=$(psql -d "$db" -c 'CREATE EXTENSION pg_trickle' 2>&1) && fail "extension over plain"
  grep -q "already installed" <<<"$out" || fail "unclear: $out"
fi

psql -d "$db" <<'SQL'
CREATE TABLE other (x int);
CREATE TABLE src (id int PRIMARY KEY, v text);
INSERT INTO src VALUES (1, 'a');
SELECT pgtrickle.create_stream_table('st', 'SELECT id, v FROM src');
SELECT pgtrickle._install_capture('src'::regclass, '{1,2}');
UPDATE pgtrickle.pgt_dependencies SET source_id = 1;
UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = 1;
INSERT INTO src VALUES (2, 'b');
SELECT pgtrickle.create_stream_table('grouped', 'SELECT v FROM src');
SELECT pgtrickle.create_refresh_group('both', ARRAY['st', 'grouped']);
SELECT pgtrickle.forbid_capture('src'), pgtrickle.allow_capture('src', 'bob');
SELECT pgtrickle.gate_source('src'), pgtrickle.advance_watermark('src', '2024-01-01 00:00+00'), pgtrickle.advance_watermark('other', '2024-01-02 00:00+00');
SELECT pgtrickle.create_watermark_group('wg', ARRAY['src', 'other'], 60), pgtrickle.create_watermark_group('lost', ARRAY['src', 'st']);
SELECT pgtrickle.pause_scheduler();
SELECT test.eq('not changed', pgtrickle._cluster_changed(), false);
SQL
"$PG_BIN/pg_dump" -d "$db" -Fc -f "$WORK/$db.dump"
psql -d postgres -c "CREATE DATABASE \"${db}_restored\"" 
trap 'psql -d postgres -c "DROP DATABASE IF EXISTS \"${db}_restored\""' EXIT
psql -d "${db}_restored" -c 'CREATE TABLE shift_oids (a int)'
"$PG_BIN/pg_restore" -d "${db}_restored" --exit-on-error "$WORK/$db.dump" || fail "restore failed"
psql -d "${db}_restored" <<'SQL'
INSERT INTO src VALUES (3, 'c');           -- old capture still works
SELECT test.eq('changed', pgtrickle._cluster_changed(), true);
SELECT test.eq('adopted', pgtrickle._adopt_cluster(), 2);
SELECT test.eq('who may capture', (SELECT string_agg(source_relid::regclass || ' ' || role::regrole, ', ' ORDER BY role) FROM pgtrickle.pgt_capture_rights), 'src -, src bob');
SELECT test.ok('gates and watermarks', pgtrickle._hold_reason(1) ~ 'source public.src is gated');
SELECT pgtrickle.ungate_source('src');
SELECT test.ok('watermark group', pgtrickle._hold_reason(1) ~ '^the watermarks of group "wg" are 86400 s apart.*public.src is at');
SELECT test.eq('what cannot be found', (SELECT string_agg(group_name, ' ') FROM pgtrickle.watermark_groups()), 'wg');
SELECT test.eq('refresh group', (SELECT members::text FROM pgtrickle.refresh_groups()), '{public.grouped,public.st}');
SELECT test.eq('no more', pgtrickle._cluster_changed(), false);
SELECT test.eq('relinked', (SELECT pgt_relid FROM pgtrickle.pgt_stream_tables WHERE pgt_id = 1), 'st'::regclass::oid);
SELECT test.eq('dependency', (SELECT source_relid FROM pgtrickle.pgt_dependencies WHERE pgt_id = 1), 'src'::regclass::oid);
SELECT test.ok('to be rebuilt', (SELECT bool_and(needs_reinit AND snapshot IS NULL) FROM pgtrickle.pgt_stream_tables JOIN pgtrickle.pgt_frontiers USING (pgt_id)));
SELECT test.eq('old triggers are gone', (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtrickle\_1\__'), 0::bigint);
SELECT test.ok('a new log', pgtrickle._install_capture('src'::regclass, '{1}') > 1);
SELECT test.fails('DELETE FROM st', '55000', 'directly');
INSERT INTO src VALUES (4, 'd');
SELECT pgtrickle.create_stream_table('st2', 'SELECT 1 AS a');
SELECT test.ok('identity goes on', (SELECT pgt_id = 3 FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'st2'));
SQL

# removing: stream tables stay as ordinary tables, writes to sources go on
if [ "$way" = extension ]; then
  psql -d "$db" -c 'DROP EXTENSION pg_trickle CASCADE' 2>/dev/null
else
  psql -d "$db" -c 'DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE' 2>/dev/null
fi
psql -d "$db" <<'SQL'
INSERT INTO src VALUES (5, 'e');
DELETE FROM st;
ALTER TABLE src RENAME v TO w;
DROP TABLE src;
SELECT test.eq('no event triggers', (SELECT count(*) FROM pg_event_trigger), 0::bigint);
SQL
psql -d "$db" --single-transaction -f "$WORK/install.sql" || fail "cannot install again"

# Nobody forgets to say who may execute a function.
psql -d "$db" -c 'DROP SCHEMA pgtrickle, pgtrickle_changes, pgtrickle_state, pgtrickle_locks CASCADE' 2>/dev/null
files=("$ROOT"/sql/*.sql)
{
  cat "${files[@]:0:${#files[@]}-1}"
  echo 'CREATE FUNCTION pgtrickle._unsaid() RETURNS int LANGUAGE sql RETURN 1;'
  cat "${files[-1]}"
} >"$WORK/unsaid.sql"
out=$(psql -d "$db" --single-transaction -f "$WORK/unsaid.sql" 2>&1) && fail "installed a function that nothing is said about"
grep -q "nothing says who may execute pgtrickle._unsaid()" <<<"$out" || fail "unclear: $out"
