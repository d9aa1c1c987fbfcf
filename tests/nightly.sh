#!/usr/bin/env bash
# nightly.sh [BUILD]: checks that take too long for .ci/run, of a tree that is built. Needs root.
#
#   packages   install, upgrade, remove and purge the Debian packages in a Debian of their own; minutes
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:-build}
failed=0

check() { # NAME COMMAND...
  local name=$1 start=$SECONDS status=0 result=passed
  shift
  printf '=== %s\n' "$name"
  "$@" </dev/null || status=$?
  case $status in
    0) ;;
    77) result=skipped ;;
    *) result=FAILED failed=1 ;;
  esac
  printf '=== %s: %s in %d s\n' "$name" "$result" $((SECONDS - start))
}

check packages tests/packages.sh --root "$build"
exit $failed
