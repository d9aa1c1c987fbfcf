#!/usr/bin/env bash
# ways: plain
# What docs/MIGRATION.md shows is run as it stands there, in its order; the catalog of pg_trickle that it reads has the columns of ours
set -euo pipefail
db=$1
psql() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
fail() { echo "$*" >&2; exit 1; }
block() { awk -v want="$1" '/^```sql$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside && n == want' "$ROOT/docs/MIGRATION.md"; }
is() { [ "$2" = "$3" ] || fail "$1: got $2, expected $3"; }
kind() { psql -c "SELECT relkind FROM pg_class WHERE oid = 'shop.sales'::regclass"; }

is "blocks" "$(grep -c '^```sql$' "$ROOT/docs/MIGRATION.md")" 5
block 1 | psql
psql -c "INSERT INTO shop.orders VALUES (1, 'north', 200), (2, 'south', 50); REFRESH MATERIALIZED VIEW shop.sales"
block 2 | psql | grep -q '|create|shop.sales|SELECT pgtrickle.create_stream_table(' || fail "no plan"
is "after the plan" "$(kind)" m
block 3 | psql >/dev/null
is "after adopting" "$(kind)" r
is "readers" "$(psql -c 'SELECT region, total FROM shop.report')" 'north|200'
calls=$(block 5 | psql)
grep -q '^SELECT pgtrickle.create_stream_table(.shop.sales., ' <<<"$calls" || fail "no calls: $calls"
block 4 | psql >/dev/null
is "after taking it back" "$(kind)" m
psql -c 'DROP MATERIALIZED VIEW shop.sales CASCADE' -c "$calls" >/dev/null
is "made again" "$(psql -c 'SELECT name, schedule, refresh_mode, status FROM pgtrickle.stream_tables')" 'shop.sales|1m|AUTO|PENDING'
