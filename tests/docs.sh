#!/usr/bin/env bash
# What the documentation names exists: paths in backticks that begin with a folder of the repository, and links to files.
# A path may contain * or end with a slash. docs/PROGRAMS.md shows the golden programs as they are, docs/COMPATIBILITY.md
# names functions that exist.
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
# What docs/COMPATIBILITY.md says is there is in the SQL reference, and what it says is not there is not.
# shellcheck disable=SC2016
while read -r section name; do
  if grep -qx "### \`$name\`" docs/SQL_REFERENCE.md; then is=There; else is=Not; fi
  [ "$section" = "$is" ] || missing docs/COMPATIBILITY.md "\"$name\" under \"$section\""
done < <(awk -F'|' '/^## /{split($0, w, " "); section=w[2]} /^\| /{print section "|" (section == "There" ? $3 : $2)}' docs/COMPATIBILITY.md |
  awk -F'|' '{n = split($2, names, "`"); for (i = 2; i < n; i += 2) print $1, names[i]}')
[ $failed = 0 ] && echo "${#documents[@]} documents name files that exist"
exit $failed
