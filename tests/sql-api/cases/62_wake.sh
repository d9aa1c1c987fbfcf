#!/usr/bin/env bash
# ways: plain
# Writers notify only a daemon that sleeps, and can PREPARE their transactions
set -euo pipefail
db=$1
psql() { "$PG_BIN/psql" -X -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
fail() { echo "$*" >&2; exit 1; }

psql -q -c "CREATE TABLE t (id int)" -c "SELECT pgtrickle._install_capture('t'::regclass, '{1}')"
# psql shows notifications that its session gets after each command
out=$(psql -c "LISTEN pgtrickle_wake" -c "INSERT INTO t VALUES (1)" -c "SELECT 1")
! grep -q 'notification "pgtrickle_wake"' <<<"$out" || fail "notified although nobody is armed: $out"
mkfifo "$WORK/armed.in"
psql -q <"$WORK/armed.in" >"$WORK/armed.out" &
exec 9>"$WORK/armed.in"
echo "SELECT pg_try_advisory_lock(1885828210, 1);" >&9
for _ in $(seq 50); do grep -q t "$WORK/armed.out" && break; sleep 0.1; done
out=$(psql -c "LISTEN pgtrickle_wake" -c "UPDATE t SET id = id WHERE false" -c "UPDATE t SET id = id" -c "SELECT 1")
! grep -q 'notification "pgtrickle_wake"' <<<"$out" || fail "notified although nothing was captured: $out"
out=$(psql -c "LISTEN pgtrickle_wake" -c "INSERT INTO t VALUES (2)" -c "SELECT 1")
grep -q 'notification "pgtrickle_wake"' <<<"$out" || fail "not notified: $out"
out=$(psql -c "LISTEN pgtrickle_wake" -c "TRUNCATE t" -c "SELECT 1")
grep -q 'notification "pgtrickle_wake"' <<<"$out" || fail "not notified of TRUNCATE: $out"
out=$(psql -c "LISTEN pgtrickle_wake" -c "SELECT pgtrickle.create_stream_table('st', 'SELECT * FROM t')" -c "SELECT 1")
grep -q 'notification "pgtrickle_wake"' <<<"$out" || fail "API did not notify: $out"
exec 9>&-
wait
