#!/usr/bin/env bash
# Writes docs/SQL_SUPPORT.md from what the queries of tests/sql/features/ do; with --check only says whether the committed
# file is current. PGT_BUILD_DIR (default: build/) has the test program.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
option=--write
if [ "${1:-}" = --check ]; then
  option=
fi
exec "$top/tests/support/with_cluster.sh" "${PGT_BUILD_DIR:-$top/build}/tests/pgtrickle_feature_tests" ${option:+"$option"}
