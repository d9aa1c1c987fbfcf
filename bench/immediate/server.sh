#!/usr/bin/env bash
# bench/immediate/server.sh: prints the directory of the programs of a PostgreSQL 18 that has pg_ivm, for PGT_PG_BIN. It is the one of
# tests/support/server.sh, with Debian's package of pg_ivm unpacked into it; nothing is installed. Exits with 77 if it cannot
# be had.
set -euo pipefail
version=18
suite=forky
mirror=${PGT_MIRROR:-http://deb.debian.org/debian}
bin=$("$(dirname "$0")/../../tests/support/server.sh" "$version")
root=${bin%/usr/lib/postgresql/*}
if [ ! -e "$root/usr/lib/postgresql/$version/lib/pg_ivm.so" ]; then
  if [ -z "$root" ]; then
    echo "PostgreSQL $version is installed: install postgresql-$version-pg-ivm as well" >&2
    exit 77
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/archives/partial"
  echo "deb $mirror $suite main" >"$work/sources.list"
  options=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
    -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
  cd "$work"
  if ! { apt-get "${options[@]}" update && apt-get "${options[@]}" download "postgresql-$version-pg-ivm"; } >"$work/log" 2>&1; then
    echo "pg_ivm cannot be had: $(tail -n 1 "$work/log")" >&2
    exit 77
  fi
  dpkg -x "$work"/postgresql-"$version"-pg-ivm_*.deb "$root"
fi
echo "$bin"
