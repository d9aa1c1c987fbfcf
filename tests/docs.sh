#!/usr/bin/env bash
# What the documentation names exists: paths in backticks that begin with a folder of the repository, and links to files.
# A path may contain * or end with a slash. And docs/PROGRAMS.md shows the golden programs as they are.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failed=0
mapfile -t documents < <(find . -name '*.md' -not -path './build*' -not -path './.git/*' | sed 's|^\./||' | sort)

missing() { # DOCUMENT WHAT
  echo "$1: there is no $2"
  failed=1
}

for document in "${documents[@]}"; do
  folder=$(dirname "$document")
  # shellcheck disable=SC2016  # backticks of Markdown
  while read -r path; do
    compgen -G "$path" >/dev/null || compgen -G "$folder/$path" >/dev/null || missing "$document" "$path"
  done < <(grep -oE '`(\./)?(daemon|sql|tests|docs|deploy|bench|ext-min|cmake|config|helm)/[A-Za-z0-9_./*-]+`' "$document" | tr -d '`' | sort -u)
  while read -r link; do
    [ -e "$folder/$link" ] || missing "$document" "$link"
  done < <(grep -oE '\]\([^)#]+' "$document" | sed 's/^](//' | grep -vE '^(https?:|mailto:)' | sort -u)
done
docs/generate/programs.sh --check || failed=1
[ $failed = 0 ] && echo "${#documents[@]} documents name files that exist"
exit $failed
