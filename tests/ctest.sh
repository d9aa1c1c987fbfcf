#!/usr/bin/env bash
# ctest.sh PRESET [ARGS...]: runs the tests of a tree that is built. PGT_TEST_JOBS: how many at a time; by default one more
# than there are processors, because server tests wait now and then.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
case $preset in release) build=build ;; *) build=build-$preset ;; esac
exec ctest --preset "$preset" --output-on-failure --parallel "${PGT_TEST_JOBS:-$(($(nproc) + 1))}" \
  --output-junit "$PWD/$build/tests.xml" "$@" </dev/null
