#!/usr/bin/env bash
# The style that a tool can judge in seconds: clang-format for C++, shellcheck for scripts, the length of lines for SQL,
# words that are hard to read.
# Says which command mends it. What takes longer is in tests/tidy.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0
# Outside of a git checkout (a release archive): all files below this folder.
files() { git ls-files -- "$@" 2>/dev/null || for pattern in "$@"; do find . -name "$pattern" -not -path './build*'; done; }

mapfile -t sources < <(files '*.cpp' '*.h')
clang-format --dry-run -Werror "${sources[@]}" || { echo "to mend: ./dev fmt"; failed=1; }

mapfile -t scripts < <(files '*.sh'; echo .ci/run; echo dev)
shellcheck "${scripts[@]}" || failed=1

# 120 characters, as in C++. A diff of longer lines cannot be read.
mapfile -t sql < <(files 'sql/*.sql')
awk 'length > 120 { printf "%s:%d: %d characters, at most 120\n", FILENAME, FNR, length; found = 1 } END { exit found }' \
  "${sql[@]}" || failed=1

# Words that people whose language is not English look up. Say again or rebuilt; who; the ones that, or name them.
mapfile -t texts < <(files '*.cpp' '*.h' '*.sql' '*.md' '*.sh' '*.yaml' '*.txt')
if grep -niE '\b(ane[w]|who[e]ver|those tha[t])\b' "${texts[@]}"; then
  echo "to mend: other words, see CONTRIBUTING.md"
  failed=1
fi

# It recurses for each character that it matches: a text of 50,000 that somebody makes up ends the daemon.
mapfile -t ours < <(files 'daemon/*.cpp' 'daemon/*.h')
if grep -n '#include <regex>' "${ours[@]}"; then
  echo "to mend: search by hand, see daemon/postgres/conninfo.cpp"
  failed=1
fi

[ $failed = 0 ] && echo "${#sources[@]} sources, ${#scripts[@]} scripts and ${#sql[@]} files of SQL are in style"
exit $failed
