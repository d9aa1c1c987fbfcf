#!/usr/bin/env bash
# clang-tidy over daemon/, with the checks in .clang-tidy. A finding is an error.
#
#   tidy.sh                what changed since the last merged state, then other files until the budget is used up
#   tidy.sh --changed      what changed, and no others
#   tidy.sh --all          every file
#   tidy.sh FILE...        these files
#
# PGT_TIDY_SINCE: the commit that changes are counted from (default: the first parent of the newest merge, or the commit
# before this one). A changed header brings the files that include it. PGT_TIDY_BUDGET: seconds after which no further
# file is begun (150: about a third of all with two jobs). The others begin at another place for each commit, so that all
# have their turn. PGT_BUILD_DIR: a configured and built tree (build). PGT_JOBS: how many at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${PGT_BUILD_DIR:-build}
budget=${PGT_TIDY_BUDGET:-150}
jobs=${PGT_JOBS:-$(nproc)}
[ -s "$build/compile_commands.json" ] || { echo "error: $build is not configured: cmake --preset release" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# clang cannot read the precompiled headers of GCC. Every source includes what it needs, so they can be left out.
sed -E 's/ -Winvalid-pch//g; s/ -include [^ ]*cmake_pch\.hxx//g' "$build/compile_commands.json" >"$work/compile_commands.json"

all_files() { git ls-files 'daemon/*.cpp'; }

last_merged() {
  local merge
  merge=$(git rev-list --merges --max-count=1 HEAD)
  git rev-parse --verify --quiet "${merge:-HEAD}^1" || git rev-parse HEAD
}

# Sources that changed, and sources that include a header that did (directly: the headers of a folder are small).
changed_files() {
  local since=${PGT_TIDY_SINCE:-$(last_merged)} changed
  git diff --name-only --diff-filter=d "$since" -- 'daemon/*.cpp' 'daemon/*.h' >"$work/changed"
  while read -r changed; do
    case $changed in
      *.cpp) echo "$changed" ;;
      *.h) git grep -lF "#include \"${changed#daemon/}\"" -- 'daemon/*.cpp' || true ;;
    esac
  done <"$work/changed" | sort -u
}

# The others, beginning at a place that depends on the commit.
other_files() {
  local files start
  mapfile -t files < <(all_files | grep -vxFf "$work/first" || true)
  [ ${#files[@]} -gt 0 ] || return 0
  start=$((16#$(git rev-parse HEAD | cut -c 1-7) % ${#files[@]}))
  printf '%s\n' "${files[@]:start}" "${files[@]:0:start}"
}

# judge DEADLINE FILE: one file; nothing after the deadline, in seconds since 1970.
# shellcheck disable=SC2317  # called by xargs
judge() {
  local log
  [ "$(date +%s)" -lt "$1" ] || return 0
  log=$work/$(tr / _ <<<"$2").log
  echo "$2" >>"$work/judged"
  clang-tidy -p "$work" --quiet "$2" >"$log" 2>"$log.errors" && return 0
  cat "$log" "$log.errors" >&2
  return 1
}
export -f judge
export work

# run DEADLINE: the files on standard input, several at a time.
run() {
  # shellcheck disable=SC2016  # the inner shell expands them
  xargs -r -n 1 -P "$jobs" bash -c 'judge "$0" "$1"' "$1"
}

: >"$work/judged"
never=99999999999
failed=0
case ${1:-} in
  --all) all_files | run $never || failed=1 ;;
  --changed) changed_files | run $never || failed=1 ;;
  '')
    changed_files >"$work/first"
    deadline=$(($(date +%s) + budget))
    run $deadline <"$work/first" || failed=1
    echo "clang-tidy: judged $(wc -l <"$work/judged") of the $(wc -l <"$work/first") sources that a change touches"
    other_files | run $deadline || failed=1
    ;;
  *) printf '%s\n' "$@" | run $never || failed=1 ;;
esac
echo "clang-tidy: judged $(wc -l <"$work/judged") of $(all_files | wc -l) sources"
exit $failed
