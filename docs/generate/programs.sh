#!/usr/bin/env bash
# Writes docs/PROGRAMS.md from docs/generate/programs.md.in, whose text is for people, and the programs in
# tests/golden/programs/; with --check only says whether the committed file is current. Lines of the template:
#
#   {{query NAME}} {{plan NAME}} {{state NAME}}   of the program: its query, its plan, the CREATE TABLE of its state
#   {{steps NAME}}                                each CTE of its differential statement with the note below, then its end,
#                                                 then what deletes rows that go
#   {{note NAME CTE}} TEXT                        what is said about this CTE, "end" for what follows them, "gone" for the
#                                                 deletion; up to an empty line
#
# A CTE without a note is an error, and so is a note without a CTE: a program that changes is described again.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
made=$(mktemp)
trap 'rm -f "$made"' EXIT

awk -v programs="$top/tests/golden/programs/" '
function fail(what) { print "docs/generate/programs.md.in: " what >"/dev/stderr"; failed = 1; exit 1 }
function read_program(name,   line, file, part, cte) {
  if (name in seen) return
  seen[name] = 1
  file = programs name ".sql"
  while ((getline line <file) > 0) {
    if (line == "/*" && part == "") { part = "query"; continue }
    if (part == "query" && line == "") { part = "mode"; continue }
    if (part == "mode") { if (line ~ /^DIFFERENTIAL/) part = "plan"; continue }
    if (line == "*/" && part == "plan") { part = "sql"; continue }
    if (part == "query") { query[name] = query[name] "    " line "\n"; continue }
    if (part == "plan") { if (line != "") plan[name] = plan[name] "    " line "\n"; continue }
    if (line ~ /^CREATE TABLE /) part = "state"
    if (part == "state") { if (line == "") part = "sql"; else state[name] = state[name] "    " line "\n"; continue }
    # What has two spaces is a CTE of the differential statement, its comment, or the end of the statement.
    if (line == "  WITH") { part = "steps"; cte = "?"; continue }
    if (part == "after" && line ~ /^  IF v.gone /) { part = "gone"; order[name] = order[name] " gone" }
    if (part == "gone") { text[name, "gone"] = text[name, "gone"] line "\n"; if (line == "  END IF;") part = "sql" }
    if (part != "steps") continue
    if (line ~ /^  -- /) { cte = "?"; comment = line; continue }
    if (line ~ /^  [a-z_0-9]+ AS /) { cte = line; sub(/^ +/, "", cte); sub(/ AS .*/, "", cte); order[name] = order[name] " " cte; text[name, cte] = comment "\n" }
    if (line ~ /^  SELECT /) { cte = "end"; order[name] = order[name] " end" }
    text[name, cte] = text[name, cte] line "\n"
    if (cte == "end" && line ~ /;$/) part = "after"
  }
  close(file)
  if (query[name] == "" || order[name] !~ / end( gone)?$/) fail("there is no program " name " with a differential statement")
}
function steps(name,   i, n, ctes) {
  n = split(order[name], ctes, " ")
  for (i = 1; i <= n; i++) {
    if (!((name, ctes[i]) in note)) fail("no note on " ctes[i] " of program " name)
    printf "%s\n%s\n", note[name, ctes[i]], text[name, ctes[i]]
    used[name, ctes[i]] = 1
  }
}
# The notes first: they stand at the end of the template.
NR == FNR {
  if ($1 == "{{note") {
    key = $2 SUBSEP substr($3, 1, length($3) - 2)
    sub(/^[^}]*}} */, "")
  }
  if (key != "") { if ($0 == "") key = ""; else note[key] = note[key] $0 "\n" }
  next
}
$1 == "{{note" { exit }
/^{{/ {
  name = substr($2, 1, length($2) - 2)
  read_program(name)
  if ($1 == "{{query") printf "%s", query[name]
  else if ($1 == "{{plan") printf "%s", plan[name]
  else if ($1 == "{{state") printf "%s", state[name]
  else if ($1 == "{{steps") steps(name)
  else fail("what is " $0)
  next
}
{ print }
END {
  if (failed) exit 1
  for (key in note) if (!(key in used)) { split(key, part, SUBSEP); fail("the note on " part[2] " of program " part[1] " belongs to no CTE") }
}' "$top/docs/generate/programs.md.in" "$top/docs/generate/programs.md.in" | cat -s | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$made"

if [ "${1:-}" = --check ]; then
  diff -u "$top/docs/PROGRAMS.md" "$made" || { echo "docs/PROGRAMS.md is not current: run docs/generate/programs.sh" >&2; exit 1; }
  exit 0
fi
cp "$made" "$top/docs/PROGRAMS.md"
