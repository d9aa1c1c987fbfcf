#!/usr/bin/env bash
# ways: plain
# Whom a statement wakes, and with which payload: writers only a daemon that sleeps on their source
set -euo pipefail
db=$1
psql() { "$PG_BIN/psql" -X -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
fail() { echo "$*" >&2; exit 1; }

# Payloads that a session gets for its own statements, in the order of their first appearance; psql shows them after a command.
heard() {
  local commands=()
  for statement in "$@"; do commands+=(-c "$statement"); done
  psql -c 'LISTEN pgtrickle_wake' "${commands[@]}" -c 'SELECT 1' |
    sed -n 's/^Asynchronous notification "pgtrickle_wake" \(with payload "\(.*\)" \)\?received.*/<\2>/p' | paste -sd ' '
}
expect() { # what, payloads, statements...
  local what=$1 expected=$2 got
  shift 2
  got=$(heard "$@")
  [ "$got" = "$expected" ] || fail "$what: heard '$got', expected '$expected'"
}
# A session that holds what the daemon would hold
hold() { # lock keys...
  rm -f "$WORK/held.in" "$WORK/held.out"
  mkfifo "$WORK/held.in"
  psql -q <"$WORK/held.in" >"$WORK/held.out" &
  exec 9>"$WORK/held.in"
  local keys
  for keys in "$@"; do echo "SELECT pg_try_advisory_lock($keys);" >&9; done
  for _ in $(seq 300); do [ "$(grep -c t "$WORK/held.out")" = $# ] && return; sleep 0.1; done
  fail "could not lock $*"
}
release() {
  exec 9>&-
  wait %1 2>/dev/null || wait
}

psql -q -c "CREATE TABLE t (id int)" -c "CREATE TABLE u (id int)" -c "CREATE TABLE p (id int, v int) PARTITION BY LIST (id)" \
  -c "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)" -c "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)" \
  -c "SELECT pgtrickle._install_capture('t'::regclass, '{1}'), pgtrickle._install_capture('u'::regclass, '{1}'), pgtrickle._install_capture('p'::regclass, '{1,2}')" >/dev/null
expect "nobody sleeps" "" "TRUNCATE t" "INSERT INTO t VALUES (1)"

hold "1885828213, 1"
expect "nothing captured" "" "UPDATE t SET id = id WHERE false" "UPDATE t SET id = id"
expect "INSERT" "<s:1>" "INSERT INTO t VALUES (2)"
expect "UPDATE" "<s:1>" "UPDATE t SET id = id + 1"
expect "TRUNCATE" "<s:1>" "TRUNCATE t"
expect "DELETE of nothing" "" "DELETE FROM t"
expect "many statements, one notification" "<s:1>" "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); DELETE FROM t; COMMIT"
expect "another source" "" "INSERT INTO u VALUES (1)"
expect "rolled back" "" "BEGIN; INSERT INTO t VALUES (1); ROLLBACK"
release

hold "1885828213, 2" "1885828213, 3"
expect "only the other source" "<s:2>" "INSERT INTO t VALUES (3)" "INSERT INTO u VALUES (2)"
expect "a MERGE that moves rows" "<s:3>" "INSERT INTO p VALUES (1, 1)"
expect "marker of a MERGE" "<s:3>" "MERGE INTO p USING (VALUES (1)) AS x(i) ON p.id = x.i WHEN MATCHED THEN UPDATE SET id = 2"
release
[ "$(psql -c 'SELECT count(*) FROM pgtrickle_changes.log_3 WHERE w = 0')" != 0 ] || fail "no marker"

# A source that is not what it was: DDL concerns everything, its writers their source
hold "1885828210, 1" "1885828213, 2"
expect "ALTER of a source" "<a>" "ALTER TABLE u RENAME id TO ident"
expect "markers" "<s:2>" "INSERT INTO u VALUES (3)"
release

# The API says which stream table
expect "create" "<t:1>" "SELECT pgtrickle.create_stream_table('st', 'SELECT * FROM t')"
expect "create, if it does not exist" "" "SELECT pgtrickle.create_stream_table_if_not_exists('st', 'SELECT * FROM t')" 2>/dev/null
expect "create on it" "<t:2>" "SELECT pgtrickle.create_stream_table('st2', 'SELECT * FROM st')"
expect "alter" "<t:1>" "SELECT pgtrickle.alter_stream_table('st', schedule => '2s')"
expect "resume" "<t:2>" "SELECT pgtrickle.resume_stream_table('st2')"
hold "1885828210, 1"
expect "DROP TABLE" "<a>" "DROP TABLE st2"
release
psql -q -c "SELECT pgtrickle.create_stream_table('st2', 'SELECT * FROM st')" >/dev/null
expect "drop with what reads it" "<t:3> <t:1>" "SELECT pgtrickle.drop_stream_table('st', cascade => true)"
