#!/usr/bin/env bash
# bench/run.sh [--quick] [--part refresh|capture|latency]: builds, measures on a throw-away cluster, writes
# bench/RESULTS.md; with an option, RESULTS.md in the build directory instead. PGT_BUILD_DIR chooses that directory
# (default: build/bench), PGT_PG_BIN the PostgreSQL version, PGT_BENCH_SKIP_BUILD=1 uses the programs that are there.
#
# bench/run.sh --part tpch [--sf 0.1] [--budget SECONDS] [--queries 1,3,5] [--plans DIR]: the same with the queries of
# TPC-H; writes bench/RESULTS_TPCH.md, or RESULTS_TPCH.md in the build directory if only some queries are measured.
#
# bench/run.sh scale [--rounds N] [--schedules S,S] [--seconds N] [--tables N] [--table-schedules S,S] [--part graphs|tables]:
# graphs of stream tables with the daemon running; writes bench/RESULTS_SCALE.md, or with an option RESULTS_SCALE.md in the
# build directory. The server takes no prepared transactions, as it is by default, so that writers wake the daemon.
#
# bench/run.sh rebuild [--rebuilds N]: from COMMIT of DDL until stream tables are rebuilt, without and with prepared
# transactions (the daemon is woken, or looks); writes bench/RESULTS_REBUILD.md, or with an option RESULTS_REBUILD.md in the
# build directory.
#
# bench/run.sh immediate [--quick]: what IMMEDIATE stream tables cost writers, beside pg_ivm where the server has it; writes
# bench/RESULTS_IMMEDIATE.md, or with an option RESULTS_IMMEDIATE.md in the build directory. A server that has it:
# PGT_PG_BIN=$(bench/immediate/server.sh).
#
# bench/run.sh recursive [--quick]: WITH RECURSIVE over a tree and a graph; writes bench/RESULTS_RECURSIVE.md, or with an option
# RESULTS_RECURSIVE.md in the build directory.
#
# bench/run.sh build [--tables N] [--sources N] [--schedule S]: see bench/build.sh.
set -euo pipefail
if [ "${1:-}" = build ]; then exec "$(dirname "$0")/build.sh" "${@:2}"; fi

cd "$(dirname "$0")/.."
export PGT_BUILD_DIR=${PGT_BUILD_DIR:-$PWD/build/bench}
output=$PWD/bench/RESULTS.md
settings=("${PGT_MAX_PREPARED:-10}")
if [ "${1:-}" = rebuild ]; then
  shift
  settings=(0 10)
  output=$PWD/bench/RESULTS_REBUILD.md
  if [ $# -gt 0 ]; then output=$PGT_BUILD_DIR/RESULTS_REBUILD.md; fi
  set -- --part rebuild "$@"
elif [ "${1:-}" = immediate ]; then
  shift
  output=$PWD/bench/RESULTS_IMMEDIATE.md
  if [ $# -gt 0 ]; then output=$PGT_BUILD_DIR/RESULTS_IMMEDIATE.md; fi
  set -- --part immediate "$@"
elif [ "${1:-}" = recursive ]; then
  shift
  output=$PWD/bench/RESULTS_RECURSIVE.md
  if [ $# -gt 0 ]; then output=$PGT_BUILD_DIR/RESULTS_RECURSIVE.md; fi
  set -- --part recursive "$@"
elif [ "${1:-}" = scale ]; then
  shift
  settings=(0)
  if [ $# -eq 0 ]; then
    output=$PWD/bench/RESULTS_SCALE.md
  else
    output=$PGT_BUILD_DIR/RESULTS_SCALE.md
  fi
  case " $* " in
    *" --part "*) ;;
    *) set -- --part graphs --part tables "$@" ;;
  esac
else
  case " $* " in
    *" tpch "*" --queries"* | *" --queries"*" tpch "*) output=$PGT_BUILD_DIR/RESULTS_TPCH.md ;;
    *" tpch "*) output=$PWD/bench/RESULTS_TPCH.md ;;
    "  ") ;;
    *) output=$PGT_BUILD_DIR/RESULTS.md ;;
  esac
fi
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
if ! git diff --quiet HEAD -- daemon sql 2>/dev/null; then revision="$revision with local changes"; fi

if [ -z "${PGT_BENCH_SKIP_BUILD:-}" ]; then
  cmake -S . -B "$PGT_BUILD_DIR" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPGTRICKLE_BENCH=ON >/dev/null
  targets=(pgtrickle_bench)
  if grep -q 'add_executable(pgtrickled' daemon/CMakeLists.txt; then targets+=(pgtrickled); fi
  ninja -C "$PGT_BUILD_DIR" "${targets[@]}" >&2
fi
part=$(mktemp)
trap 'rm -f "$part"' EXIT
for prepared in "${settings[@]}"; do
  PGT_MAX_PREPARED=$prepared tests/support/with_cluster.sh "$PGT_BUILD_DIR/bench/pgtrickle_bench" --output "$part" \
    --revision "$revision" "$@"
  if [ "$prepared" = "${settings[0]}" ]; then
    cp "$part" "$output"
  else
    sed -n '/^## /,$p' "$part" >>"$output"  # the head is the same
  fi
done
