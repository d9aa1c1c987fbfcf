#!/usr/bin/env bash
# ways: plain
# Prepared transactions: a captured write can be prepared although the daemon sleeps, and is not lost by rotation
set -euo pipefail
db=$1
psql() { "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$db" "$@"; }
fail() { echo "$*" >&2; exit 1; }
as_server=()
[ "$(id -u)" != 0 ] || as_server=(runuser -u postgres --)
restart() { "${as_server[@]}" "$PG_BIN/pg_ctl" -D "$WORK/data" -l "$WORK/server.log" -m fast -w "$@" restart >/dev/null; }

restart -o "-c max_prepared_transactions=5"
trap 'psql -c "ROLLBACK PREPARED '"'p'"'" 2>/dev/null || true; restart -o "-c max_prepared_transactions=0"' EXIT
psql <<'SQL'
CREATE TABLE t (id int);
SELECT pgtrickle.create_stream_table('st', 'SELECT id FROM t');
SELECT pgtrickle._install_capture('t'::regclass, '{1}');
UPDATE pgtrickle.pgt_dependencies SET source_id = 1;
UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq');
SQL
mkfifo "$WORK/armed2.in"
psql <"$WORK/armed2.in" >"$WORK/armed2.out" &
exec 9>"$WORK/armed2.in"
echo "SELECT pg_try_advisory_lock(1885828213, 1);" >&9
for _ in $(seq 300); do grep -q t "$WORK/armed2.out" && break; sleep 0.1; done
psql -c "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'p'" || fail "could not prepare"
exec 9>&-
wait %1 || true
psql <<'SQL'
INSERT INTO t VALUES (2);
UPDATE pgtrickle.pgt_frontiers SET snapshot = pg_current_snapshot(), xid = pg_current_xact_id(), seq = nextval('pgtrickle_changes.log_seq');
SELECT test.eq('switch', pgtrickle._rotate_log(1, 0), 'switched');
SELECT test.eq('prepared rows hold it', pgtrickle._rotate_log(1, 0), 'busy');
COMMIT PREPARED 'p';
SELECT test.eq('pending', pgtrickle._pending_rows(1), 1::bigint);
SELECT test.eq('kept', pgtrickle._rotate_log(1, 0), 'kept');
SQL
