#!/usr/bin/env bash
# The style that a tool can judge: clang-format for C++, shellcheck for scripts. Says which command mends it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0
# Outside of a git checkout (a release archive): all files below this folder.
files() { git ls-files -- "$@" 2>/dev/null || for pattern in "$@"; do find . -name "$pattern" -not -path './build*'; done; }

mapfile -t sources < <(files '*.cpp' '*.h')
clang-format --dry-run -Werror "${sources[@]}" || { echo "to mend: clang-format -i FILE"; failed=1; }

mapfile -t scripts < <(files '*.sh'; echo .ci/run)
shellcheck "${scripts[@]}" || failed=1

[ $failed = 0 ] && echo "${#sources[@]} sources and ${#scripts[@]} scripts are in style"
exit $failed
