#!/usr/bin/env bash
# bench/build.sh [--tables N] [--sources N] [--schedule S]: how long the daemon takes to build many stream tables at once, on a throw-away
# cluster: seconds until all of them are ACTIVE, milliseconds each, and how much processor time server and daemon have used, which
# says what an idle machine would do where this one was not. Writes bench/RESULTS_BUILD.md, or with an option
# RESULTS_BUILD.md in the build directory. The programs must have been built; PGT_BUILD_DIR says where (default: build).
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=${PGT_BUILD_DIR:-$top/build}
tables=1000
sources=50
schedule='10 s'
output=$top/bench/RESULTS_BUILD.md
if [ $# -gt 0 ] && [ -z "${PGT_TEST_DSN:-}" ]; then output=$build/RESULTS_BUILD.md; fi
export PGT_BENCH_OUTPUT=${PGT_BENCH_OUTPUT:-$output}
if [ -z "${PGT_TEST_DSN:-}" ]; then
  exec "$top/tests/support/with_cluster.sh" "$0" "$@"
fi
while [ $# -gt 0 ]; do
  case $1 in
    --tables) tables=$2 ;;
    --sources) sources=$2 ;;
    --schedule) schedule=$2 ;;
    *)
      echo "unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done

database=bench_build
dsn="$PGT_TEST_DSN dbname=$database"
ask() { psql -qXAt -v ON_ERROR_STOP=1 -d "$dsn" "$@"; }
psql -qX -d "$PGT_TEST_DSN" -c "CREATE DATABASE $database"
cat "$top"/sql/*.sql | ask >/dev/null 2>&1
ask -v sources="$sources" >/dev/null <<'SQL'
SELECT format('CREATE TABLE s%s (id int PRIMARY KEY, g int NOT NULL, v numeric, t text)', n) FROM generate_series(1, :sources) n \gexec
SELECT format('INSERT INTO s%s SELECT i, i %% 50, i, ''row '' || i FROM generate_series(1, 1000) i', n) FROM generate_series(1, :sources) n \gexec
SQL
# A third groups, a third filters, a third joins two sources.
ask -v sources="$sources" -v tables="$tables" -v schedule="$schedule" >/dev/null <<'SQL'
SELECT format('SELECT pgtrickle.create_stream_table(%L, %L, schedule => %L, initialize => false)', 'st' || n,
              CASE n % 3 WHEN 0 THEN format('SELECT g, count(*) AS n, sum(v) AS v FROM s%s GROUP BY g', a)
                         WHEN 1 THEN format('SELECT id, v * 2 AS v, t FROM s%s WHERE g < 25', a)
                         ELSE format('SELECT x.id, x.v, y.t FROM s%s x JOIN s%s y USING (id)', a, b) END, :'schedule')
FROM (SELECT n, n % :sources + 1 AS a, (n + 1) % :sources + 1 AS b FROM generate_series(1, :tables) n) AS x \gexec
SQL
# Seconds of processor time, from lines like those of /proc/PID/stat: of the process itself, or of its children that have ended.
seconds() {
  awk -v first="$2" -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.1f", ($(first) + $(first + 1)) / hz }' "/proc/$1/stat"
}
postmaster=$(head -1 "$PGT_TEST_DATADIR/postmaster.pid")
server_before=$(seconds "$postmaster" 14)
load=$(cut -d ' ' -f 1 /proc/loadavg)
log=$(mktemp)
"$build/daemon/pgtrickled" --dsn "$dsn" >"$log" 2>&1 &
daemon=$!
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; rm -f "$log"' EXIT
started=$(date +%s%N)
left=$tables
until [ "$left" = 0 ]; do
  if ! kill -0 "$daemon" 2>/dev/null || [ "$(ask -c "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status = 'ERROR'")" != 0 ]; then
    tail -5 "$log" >&2
    exit 1
  fi
  sleep 0.2
  left=$(ask -c "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE status <> 'ACTIVE'")
done
took=$((($(date +%s%N) - started) / 1000000))
daemon_used=$(seconds "$daemon" 12)
kill "$daemon"
wait "$daemon" || true
sleep 0.5 # its sessions end, and the postmaster has their time
server_used=$(awk -v after="$(seconds "$postmaster" 14)" -v before="$server_before" 'BEGIN { printf "%.1f", after - before }')
revision=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)
{
  echo "# Building many stream tables"
  echo
  echo "Written by \`bench/run.sh build\` at revision $revision, $(nproc) processors, PostgreSQL $(ask -c 'SHOW server_version')."
  echo "From the start of the daemon until all stream tables are ACTIVE; sources of 1,000 rows; a third groups, a third filters,"
  echo "a third joins two sources. All belong to the admin. Schedule '$schedule', from when each is built."
  echo
  echo "| stream tables | sources | seconds | ms each | processor seconds of the server | of the daemon | load of the machine before |"
  echo "|---:|---:|---:|---:|---:|---:|---:|"
  awk -v n="$tables" -v s="$sources" -v ms="$took" -v server="$server_used" -v daemon="$daemon_used" -v load="$load" \
    'BEGIN { printf "| %d | %d | %.1f | %.1f | %.1f | %.1f | %.1f |\n", n, s, ms / 1000, ms / n, server, daemon, load }'
} >"$PGT_BENCH_OUTPUT"
cat "$PGT_BENCH_OUTPUT"
