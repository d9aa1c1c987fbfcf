#!/usr/bin/env bash
# Writes docs/SQL_REFERENCE.md from the installed SQL; with --check only says whether the committed file is current.
# Runs inside tests/support/with_cluster.sh, which it starts itself if needed.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${PGT_TEST_DSN:-}" ]; then
  exec "$top/tests/support/with_cluster.sh" "$0" "$@"
fi
made=$(mktemp)
trap 'rm -f "$made"' EXIT
psql -qX -d "$PGT_TEST_DSN" -c 'CREATE DATABASE sql_reference'
dsn="$PGT_TEST_DSN dbname=sql_reference"
cat "$top"/sql/*.sql | psql -qX -v ON_ERROR_STOP=1 -d "$dsn" >/dev/null
psql -qX -v ON_ERROR_STOP=1 -d "$dsn" -f "$top/docs/generate/sql_reference.sql" >"$made"
psql -qX -d "$PGT_TEST_DSN" -c 'DROP DATABASE sql_reference'
if [ "${1:-}" = --check ]; then
  diff -u "$top/docs/SQL_REFERENCE.md" "$made" || { echo "docs/SQL_REFERENCE.md is not current: run docs/generate/sql_reference.sh" >&2; exit 1; }
  exit 0
fi
cp "$made" "$top/docs/SQL_REFERENCE.md"
