#!/usr/bin/env bash
# container-root.sh FOLDER PROGRAM...: makes FOLDER the root of an image: the programs in /usr/bin, the libraries that they
# load with their licences, time zones, certificates of authorities, and the user 65532. Nothing else.
set -euo pipefail

root=${1:?which folder}
shift
mkdir -p "$root"/{etc/ssl/certs,etc/pgtrickle/config,tmp,usr/bin,usr/share/doc,home/pgtrickle}
chmod 1777 "$root/tmp"
# As in Debian: otherwise the loader, whose path is in each program, would lie beside the libraries.
mkdir -p "$root"/usr/{lib,lib64}
ln -sfn usr/lib "$root/lib"
ln -sfn usr/lib64 "$root/lib64"

libraries=()
for program in "$@"; do
  install -m 0755 "$program" "$root/usr/bin/$(basename "$program")"
  loaded=$(ldd "$program")
  if grep 'not found' <<<"$loaded" >&2; then exit 1; fi
  # "name => /path (0x..)", and the loader: "/path (0x..)". Without a path: the kernel's own.
  mapfile -t -O "${#libraries[@]}" libraries < <(grep -oE '(^|[[:space:]])/[^ ]+' <<<"$loaded" | tr -d '[:blank:]')
done
files=()  # that the libraries are links to, by the names that dpkg may know: /lib is a link to /usr/lib
for library in $(printf '%s\n' "${libraries[@]}" | sort -u); do
  real=$(realpath "$library")
  install -D -m 0755 "$real" "$root$library"
  files+=("$real" "${real#/usr}")
done
for package in $( (dpkg -S "${files[@]}" 2>/dev/null || true) | cut -d: -f1 | sort -u); do
  install -D -m 0644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

# Schedules have time zones.
mkdir -p "$root/usr/share/zoneinfo"
cp -a /usr/share/zoneinfo/. "$root/usr/share/zoneinfo/"
rm -rf "$root"/usr/share/zoneinfo/{posix,right}
# For sslmode=verify-full with certificates that public authorities have signed.
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# libpq asks for the home directory of its user.
echo 'pgtrickle:x:65532:65532:pgtrickle:/home/pgtrickle:/sbin/nologin' >"$root/etc/passwd"
echo 'pgtrickle:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
