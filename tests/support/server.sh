#!/usr/bin/env bash
# server.sh VERSION: prints the directory of the programs of that PostgreSQL version, for PGT_PG_BIN.
#
# One that is installed is taken. Debian's others (17, 18) are unpacked beside it, with the libraries that they need,
# into $PGT_SERVERS/VERSION (/var/tmp/pgtrickle-servers): nothing is installed, and the next time it is there. Needs root,
# debootstrap and patchelf (deploy/install-deps.sh) and a Debian mirror ($PGT_MIRROR). Exits with 77 if it cannot be had,
# and says why.
set -euo pipefail

version=${1:?which version}
servers=${PGT_SERVERS:-/var/tmp/pgtrickle-servers}
mirror=${PGT_MIRROR:-http://deb.debian.org/debian}

give_up() {
  echo "PostgreSQL $version cannot be had: $1" >&2
  exit 77
}

installed=/usr/lib/postgresql/$version/bin
if [ -x "$installed/postgres" ]; then
  echo "$installed"
  exit 0
fi
root=$servers/$version
bin=$root/usr/lib/postgresql/$version/bin
if [ -e "$root/complete" ]; then
  echo "$bin"
  exit 0
fi

case $version in
  17) suite=trixie ;;
  18) suite=forky ;;
  *) give_up "it is not installed, and Debian has no suite with it" ;;
esac
[ "$(id -u)" = 0 ] || give_up "it is not installed, and unpacking it needs root"
for tool in debootstrap patchelf; do
  command -v "$tool" >/dev/null || give_up "$tool is not installed"
done

mkdir -p "$servers"
exec 9>"$servers/$version.lock"
flock 9   # two runs at the same time unpack it once
[ ! -e "$root/complete" ] || { echo "$bin"; exit 0; }
rm -rf "$root"
mkdir -p "$root"
# The last argument is the script of another suite: debootstrap of Debian 12 knows none that is newer than itself, and
# they are alike.
debootstrap --variant=minbase --download-only --include="postgresql-$version" "$suite" "$root" "$mirror" \
  /usr/share/debootstrap/scripts/sid >"$root.log" 2>&1 || give_up "debootstrap failed: $(tail -n 1 "$root.log")"
for deb in "$root"/var/cache/apt/archives/*.deb; do dpkg -x "$deb" "$root"; done
rm -rf "$root/var/cache/apt"
lib=$(dirname "$(find "$root/usr/lib" -name 'ld-linux-*' -print -quit)")
for program in "$bin"/*; do
  patchelf --set-interpreter "$(echo "$lib"/ld-linux-*)" --force-rpath --set-rpath "$lib" "$program" 2>/dev/null || true  # not the scripts
done
"$bin/postgres" --version >/dev/null 2>&1 || give_up "what was unpacked does not start"
touch "$root/complete"
echo "$bin"
