#!/usr/bin/env bash
# tests_of.sh EXECUTABLE FILE.cpp [ARGS...]: runs the tests of EXECUTABLE that are written in FILE. CTest has an entry for
# each file that way, and a new test needs no new entry.
#
# tests_of.sh --check EXECUTABLE FILE.cpp...: fails if a test of EXECUTABLE is in none of the files, or in two of them.
set -euo pipefail

# The filter for the suites of a file; those with parameters have a prefix.
filter_of() {
  local suites
  suites=$(sed -nE 's/^TEST(_F|_P)?\((\w+),.*/\2/p' "$1" | sort -u)
  [ -n "$suites" ] || { echo "error: no tests in $1" >&2; return 1; }
  sed 's/.*/&.*:*\/&.*/' <<<"$suites" | paste -s -d :
}

names() { # EXECUTABLE [FILTER]
  "$1" --gtest_list_tests ${2:+--gtest_filter="$2"} | awk '/^[^ ]/ { suite = $1; next } { print suite $1 }'
}

if [ "${1:-}" = --check ]; then
  executable=$2
  shift 2
  all=$(names "$executable" | sort)
  in_files=$(for file in "$@"; do names "$executable" "$(filter_of "$file")"; done | sort)
  diff <(echo "$all") <(echo "$in_files") || { echo "error: < is in no file, > is in two" >&2; exit 1; }
  echo "$(wc -l <<<"$all") tests of $(basename "$executable") in $# files"
  exit 0
fi
executable=$1
filter=$(filter_of "$2")
shift 2
exec "$executable" --gtest_filter="$filter" "$@"
