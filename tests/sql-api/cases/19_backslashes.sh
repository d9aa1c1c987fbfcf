#!/usr/bin/env bash
# ways: plain extension
# standard_conforming_strings = off, in the session or the database: nothing of ours depends on it, and a query keeps the
# meaning that it has in the session that creates the stream table
set -euo pipefail
db=$1
psql() { "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
fail() { echo "$1"; exit 1; }

psql -c "ALTER DATABASE \"$db\" SET standard_conforming_strings = off" -c "ALTER DATABASE \"$db\" SET escape_string_warning = on"
# Every function, parsed again under that setting, and what is generated: capture of a plain and a partitioned table.
psql >/dev/null <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
SELECT pgtrickle._install_capture('t'::regclass, '{1,2}'), pgtrickle._install_capture('p'::regclass, '{1,2}');
SQL
psql -c "SELECT pg_get_functiondef(p.oid) || ';' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname LIKE 'pgtrickle%' AND p.prokind IN ('f', 'p') ORDER BY p.oid" >"$WORK/functions.sql"
[ "$(grep -c '^CREATE OR REPLACE' "$WORK/functions.sql")" -gt 100 ] || fail "where are the functions?"
warned=$(psql -f "$WORK/functions.sql" 2>&1 >/dev/null | grep -c 'nonstandard use' || true)
[ "$warned" = 0 ] || fail "$warned string literals of ours mean something else with standard_conforming_strings = off"

# In use: schedules, definitions, capture by UPDATE of a partitioned table (whose function looks at the stack).
out=$(psql 2>&1 <<'SQL'
SELECT pgtrickle.create_stream_table('one', E'SELECT id, v, E\'a\\\\b\' AS lit FROM t WHERE v <> E\'\\\\\'', '5m');
SELECT pgtrickle.create_stream_table('two', E'SELECT id FROM p', 'TZ=Europe/Berlin 0 3 * * *');
INSERT INTO t VALUES (1, E'x\\y'), (2, E'\\');
INSERT INTO p VALUES (1, 'x');
UPDATE p SET v = E'y\\';
SELECT missing, extra FROM pgtrickle.verify_stream_table('one', false);
SELECT string_agg(name || ' ' || schedule, ', ' ORDER BY name) FROM pgtrickle.stream_tables;
SELECT count(*) FILTER (WHERE w = 0) || ' markers, ' || count(*) || ' rows' FROM pgtrickle_changes.log_2;
SQL
)
[ "$(grep -v '^$' <<<"$out")" = "1|0
public.one 5m, public.two TZ=Europe/Berlin 0 3 * * *
0 markers, 3 rows" ] || fail "got: $out"
