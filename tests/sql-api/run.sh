#!/usr/bin/env bash
# Tests of the SQL part alone: no daemon, no compiler. Makes a cluster of its own with tests/support/with_cluster.sh and
# runs every case of cases/ in a fresh database.
#
#   run.sh [pattern...]     only the cases whose names contain a pattern ("^7": whose names begin with 7); a pattern that
#                           no name contains is an error
#
# Each case runs once per way of installing: plain (script, by a superuser), extension, and limited (script, by a role that
# may not create event triggers), unless its first line names the ways, as in "-- ways: plain extension".
# A case that is a script can skip itself: it ends with 77, and its last line says why.
# Environment: PGT_PG_BIN (directory of the server's programs), ONLY (one of the ways), CAPTURE=c (changes are captured by
# the library of ext-min/, which is built but not installed: the server finds it in the directory of the cluster).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$here/../.." && pwd)
PG_BIN=${PGT_PG_BIN:-$(pg_config --bindir)}

# CREATE EXTENSION reads the files of the server's extension directory, which all runs and all clones on this machine
# share: so the files of this clone are installed just before, under a lock that all hold until the files are read.
create_extension() { # database
  local status=0
  exec 8>"$("$PG_BIN/pg_config" --sharedir)/extension/pg_trickle.lock"
  flock 8
  { install_extension && psql -d "$1" -c "CREATE EXTENSION pg_trickle"; } || status=$?
  exec 8>&-
  return "$status"
}

# A server without PGXS (one that was only unpacked) gets the files by hand.
install_extension() {
  local pg_config=$PG_BIN/pg_config
  if [ -e "$("$pg_config" --pgxs)" ]; then
    make -s -C "$ROOT/ext-min" PG_CONFIG="$pg_config" WITH_C=no install >/dev/null
  else
    make -s -C "$ROOT/ext-min" WITH_C=no all
    install -m 644 "$ROOT"/ext-min/pg_trickle.control "$ROOT"/ext-min/pg_trickle--*.sql "$("$pg_config" --sharedir)/extension"
  fi
}

matches() { [[ ^$1 == *"$2"* ]]; } # name pattern

for pattern in "$@"; do
  found=
  for case_file in "$here"/cases/*; do
    if matches "$(basename "$case_file")" "$pattern"; then found=1; fi
  done
  [ -n "$found" ] || { echo "error: no case in tests/sql-api/cases/ has \"$pattern\" in its name" >&2; exit 2; }
done
case ${ONLY:-} in
  '' | plain | extension | limited) ;;
  *) echo "error: ONLY=$ONLY is no way of installing: plain, extension, limited" >&2; exit 2 ;;
esac

if [ -z "${PGT_SQL_API_CLUSTER:-}" ]; then
  export PGT_SQL_API_CLUSTER=1 PGT_MAX_PREPARED=0 PGT_SERVER_SETTINGS=$'autovacuum = off\nlog_min_messages = log'
  exec "$ROOT/tests/support/with_cluster.sh" "$here/run.sh" "$@"
fi

cd "$here"
WORK=$(dirname "$PGT_TEST_DATADIR")
PGHOST=$WORK PGPORT=5432 PGUSER=postgres PGOPTIONS='' PGCLIENTENCODING=UTF8
export WORK PG_BIN ROOT PGHOST PGPORT PGUSER PGOPTIONS PGCLIENTENCODING

cat "$ROOT"/sql/*.sql >"$WORK/install.sql"

# A copy of the sources, so that clones and versions do not meet; cases can use it too.
build_library() {
  mkdir -p "$WORK/lib"
  cp "$ROOT"/ext-min/{Makefile,capture.c,pg_trickle.control,config_dump.sql} "$WORK/lib"
  make -s -C "$WORK/lib" PG_CONFIG="$PG_BIN/pg_config" COPT=-Werror pg_trickle.so >"$WORK/lib/make.log" 2>&1 ||
    { cat "$WORK/lib/make.log" >&2; return 1; }
  chmod -R a+rX "$WORK/lib"
}

use_library() { # database: from now on changes are captured in C
  "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$1" -c "ALTER DATABASE \"$1\" SET dynamic_library_path = '$WORK/lib:\$libdir'"
  "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$1" -o /dev/null -c "SELECT pgtrickle.set_capture_trigger('c')"
}
export -f build_library use_library

psql() { "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
psql -d postgres -c "CREATE ROLE limited LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT alice, bob TO limited"

install_pgtrickle() { # way database
  case $1 in
    plain) psql -d "$2" >/dev/null <<SQL ;;     # as one PQexec: that is what dblink sends
SELECT dblink_exec('host=$WORK port=5432 dbname=$2', pg_read_file('$WORK/install.sql'));
SQL
    extension) create_extension "$2" ;;
    limited) psql -d "$2" -U limited --single-transaction -f "$WORK/install.sql" >/dev/null ;;
  esac
}

[ "${CAPTURE:-}" != c ] || build_library

passed=0
failed=0
for case_file in cases/*; do
  name=$(basename "$case_file")
  if [ $# -gt 0 ]; then
    wanted=
    for pattern in "$@"; do if matches "$name" "$pattern"; then wanted=1; fi; done
    [ -n "$wanted" ] || continue
  fi
  ways=$(sed -n '1,2s/^\(--\|#\) ways: //p' "$case_file")
  for way in ${ways:-plain extension limited}; do
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$way" ] || continue
    db="t_${name%%.*}_$way"
    db=${db//-/_}
    owner=postgres
    [ "$way" != limited ] || owner=limited
    log=$WORK/$db.log
    psql -d postgres -c "CREATE DATABASE \"$db\" OWNER $owner STRATEGY file_copy"
    psql -d "$db" -c "GRANT ALL ON SCHEMA public TO PUBLIC" -f support.sql >/dev/null
    ok=1
    install_pgtrickle "$way" "$db" >"$log" 2>&1 || ok=
    if [ -n "$ok" ]; then
      psql -d "$db" -f support_capture.sql >/dev/null
      [ "${CAPTURE:-}" != c ] || [ "$way" = limited ] || use_library "$db"
      case $name in
        *.sql) psql -At -o /dev/null -d "$db" -U "$owner" -v way="$way" -f "$case_file" >"$log" 2>&1 || ok= ;;
        *.sh)
          status=0
          bash "$case_file" "$db" "$way" >"$log" 2>&1 || status=$?
          if [ "$status" = 77 ]; then echo "SKIPPED $name ($way): $(tail -n 1 "$log")"; elif [ "$status" != 0 ]; then ok=; fi
          ;;
      esac
    fi
    if [ -n "$ok" ]; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "FAILED $name ($way)"
      tail -n 15 "$log" | sed 's/^/    /'
    fi
    psql -d postgres -c "DROP DATABASE \"$db\" WITH (FORCE)"
  done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
