#!/usr/bin/env bash
# durations.sh FILE [N]: the N (default 20) longest tests in a JUnit file of ctest, in seconds.
set -euo pipefail
[ -s "$1" ] || { echo "there is no $1"; exit 0; }
sed -nE 's/.*<testcase name="([^"]*)".* time="([0-9.]+)".*/\2 \1/p' "$1" | sort -rn | awk -v n="${2:-20}" '
  { all += $1 } NR <= n { printf "%7.1f s  %s\n", $1, $2 } END { printf "%7.1f s  of %d tests together\n", all, NR }'
