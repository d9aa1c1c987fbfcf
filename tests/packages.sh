#!/usr/bin/env bash
# packages.sh [--root] [BUILD]: makes the Debian packages of a tree that is built, and judges them.
#
#   without --root  two builds are the same bytes; lintian finds nothing; what must be inside is; manual pages and completions
#                   know every flag that --help shows; the unit's score of systemd-analyze is below 2.0. Half a minute.
#   --root          installs, upgrades, removes and purges them in a Debian of their own, which debootstrap makes and
#                   $PGT_SERVERS keeps; a server and a daemon from the packages keep a stream table there. Minutes; needs root
#                   and a Debian mirror ($PGT_MIRROR). Exits with 77 if the mirror does not answer, and says so.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
in_root=false
[ "${1:-}" != --root ] || { in_root=true; shift; }
build=$(realpath "${1:-${PGT_BUILD_DIR:-$source/build}}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
passed() { echo "passed: $*"; }
expect() { # WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || fail "$1: expected '$2', but it is '$3'"
}
make_packages() { # OUT
  "$source/deploy/build-packages.sh" "$build" "$1" >/dev/null || fail "deploy/build-packages.sh"
}

# ---- --root

# in_debian COMMAND...: there, where no service may start.
in_debian() { chroot "$debian" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# quietly COMMAND...: shows what it says only if it fails.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$*"; }; }

# make_debian: a Debian 12 that has downloaded what the packages depend on, kept for the next time.
make_debian() { # INTO
  local servers=${PGT_SERVERS:-/var/tmp/pgtrickle-servers} mirror=${PGT_MIRROR:-http://deb.debian.org/debian}
  local kept=$servers/debian-12
  [ "$(id -u)" = 0 ] || { echo "skipped: chroot needs root"; exit 77; }
  command -v debootstrap >/dev/null || { echo "skipped: debootstrap is not installed"; exit 77; }
  mkdir -p "$servers"
  exec 9>"$servers/debian-12.lock"
  flock 9
  if [ ! -e "$kept/complete" ]; then
    rm -rf "$kept"
    debootstrap --variant=minbase bookworm "$kept" "$mirror" >"$kept.log" 2>&1 ||
      { echo "skipped: debootstrap failed: $(tail -n 1 "$kept.log")"; exit 77; }
    # Packages start no services here, and PostgreSQL makes no cluster.
    printf '#!/bin/sh\nexit 101\n' >"$kept/usr/sbin/policy-rc.d"
    chmod 755 "$kept/usr/sbin/policy-rc.d"
    mkdir -p "$kept/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' >"$kept/etc/postgresql-common/createcluster.d/test.conf"
    mkdir "$kept/debs"
    cp "$work"/low/*.deb "$kept/debs/"
    debian=$kept
    quietly in_debian sh -c 'apt-get update -q && apt-get install -q -y --no-install-recommends --download-only /debs/*.deb'
    rm -rf "$kept/debs"
    touch "$kept/complete"
  fi
  cp -a "$kept" "$1"
  flock -u 9
}

install_debs() { # FOLDER: as an admin does who keeps the configuration
  rm -rf "$debian/debs"
  cp -r "$1" "$debian/debs"
  quietly in_debian sh -c 'apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold /debs/*.deb'
}

is_as() { # PATH MODE OWNER:GROUP
  expect "mode and owner of $1" "$2 $3" "$(in_debian stat -c '%a %U:%G' "$1")"
}

# shellcheck disable=SC2016  # dpkg's own format
installed_version() { in_debian dpkg-query -W -f '${Version}' pgtrickled; }

# leaves_nothing: after a purge.
leaves_nothing() {
  local left
  left=$(in_debian find / -xdev -path /proc -prune -o -name '*pgtrickle*' -not -path '/debs*' -print | grep -vE '^/var/(cache/apt|lib/dpkg/info/postgresql|log|backups)' || true)
  expect "what is left of pgtrickled" "" "$left"
  in_debian getent passwd pgtrickle >/dev/null && fail "the user is left"
  in_debian getent group pgtrickle >/dev/null && fail "the group is left"
  return 0
}

stream_table() { # a server and a daemon from the packages keep a stream table
  local major=$1
  # shellcheck disable=SC2016
  quietly in_debian bash -ec '
    as_server=(runuser -u postgres --)
    end() {
      [ -z "${daemon:-}" ] || { kill "$daemon"; wait "$daemon" || true; }
      "${as_server[@]}" /usr/lib/postgresql/'"$major"'/bin/pg_ctl -D /tmp/data -m immediate stop
      rm -rf /tmp/data
    }
    cd /tmp
    "${as_server[@]}" /usr/lib/postgresql/'"$major"'/bin/initdb -D /tmp/data --auth=trust >/dev/null
    "${as_server[@]}" /usr/lib/postgresql/'"$major"'/bin/pg_ctl -D /tmp/data -w -l /tmp/data/log \
      -o "-c listen_addresses= -c unix_socket_directories=/tmp -c dynamic_shared_memory_type=mmap" start >/dev/null
    trap end EXIT
    export PGHOST=/tmp PGUSER=postgres PGDATABASE=postgres
    psql -qc "CREATE EXTENSION pg_trickle" -c "CREATE TABLE t (a int PRIMARY KEY)"
    setpriv --reuid=pgtrickle --regid=pgtrickle --init-groups pgtrickled --http-port 0 --dsn "host=/tmp user=postgres dbname=postgres" 2>/tmp/data.log &
    daemon=$!
    pgtrickle create s --schedule 1s --wait "30 s" --query "SELECT count(*) AS n FROM t"
    psql -qc "INSERT INTO t SELECT generate_series(1, 7)" -c "SELECT pgtrickle.wait_for_freshness('"'s'"')"
    [ "$(psql -Atc "SELECT n FROM s")" = 7 ]
    pgtrickle verify
  '
  passed "server $major and daemon of the packages keep a stream table"
}

try_in_root() {
  local version yaml=/etc/pgtrickle/pgtrickled.yaml major
  version=$("$source/deploy/build-packages.sh" --version)
  PGT_PACKAGE_VERSION=0.0.1 make_packages "$work/low"
  make_packages "$work/high"
  debian=$work/debian
  make_debian "$debian"
  major=$(cd "$work/high" && echo postgresql-*) major=${major#postgresql-} major=${major%%-*}

  install_debs "$work/low"
  expect "version of the package" 0.0.1-0pgtrickle1 "$(installed_version)"
  [[ $(in_debian pgtrickled --version) = "pgtrickled "* ]] || fail "pgtrickled --version"
  is_as $yaml 640 root:pgtrickle
  is_as /etc/pgtrickle 750 root:pgtrickle
  is_as /var/lib/pgtrickle 750 pgtrickle:pgtrickle
  quietly in_debian setpriv --reuid=pgtrickle --regid=pgtrickle --init-groups pgtrickled --check-config --config $yaml
  in_debian setpriv --reuid=nobody --regid=nogroup --clear-groups cat $yaml 2>/dev/null && fail "anybody reads the configuration"
  expect "shell of the user" /usr/sbin/nologin "$(in_debian getent passwd pgtrickle | cut -d: -f7)"
  [ ! -e "$debian/etc/systemd/system/multi-user.target.wants/pgtrickled.service" ] || fail "the installation enables the service"
  [ -s "$debian/usr/share/man/man1/pgtrickle.1.gz" ] || [ -e "$debian/etc/dpkg/dpkg.cfg.d/docker" ] || fail "no manual page"
  passed "installed; the user reads the configuration, others do not"
  stream_table "$major"

  echo '# changed by the admin' >>"$debian$yaml"
  chmod 0600 "$debian$yaml"
  in_debian chown pgtrickle:pgtrickle $yaml
  echo secret >"$debian/var/lib/pgtrickle/.pgpass"
  install_debs "$work/high"
  expect "version of the package" "$version-0pgtrickle1" "$(installed_version)"
  expect "the last line of the configuration" '# changed by the admin' "$(tail -n 1 "$debian$yaml")"
  is_as $yaml 600 pgtrickle:pgtrickle
  expect "a password file" secret "$(cat "$debian/var/lib/pgtrickle/.pgpass")"
  passed "upgraded from 0.0.1 to $version; the changed configuration stays, its mode too"

  quietly in_debian dpkg --remove pgtrickled
  [ -e "$debian$yaml" ] || fail "removing deletes the configuration"
  [ -e "$debian/var/lib/pgtrickle/.pgpass" ] || fail "removing deletes the password file"
  quietly in_debian dpkg --purge pgtrickled "postgresql-$major-pgtrickle"
  leaves_nothing
  passed "removed; purged, and nothing is left"
}

if $in_root; then
  try_in_root
  exit 0
fi

make_packages "$work/first"
make_packages "$work/second"
for deb in "$work"/first/*.deb; do
  cmp "$deb" "$work/second/${deb##*/}" || fail "two builds of ${deb##*/} differ"
done
passed "two builds are the same bytes: $(cd "$work/first" && echo *.deb)"

daemon_deb=$(echo "$work"/first/pgtrickled_*.deb)
extension_deb=$(echo "$work"/first/postgresql-*-pgtrickle_*.deb)
lintian --fail-on error,warning --no-cfg "$daemon_deb" "$extension_deb" || fail "lintian"
passed "lintian finds no error and no warning"

# The version, by the tags of a repository that is made here.
repository=$work/repository
mkdir -p "$repository/deploy"
cp "$source/deploy/build-packages.sh" "$repository/deploy/"
cp "$source/CMakeLists.txt" "$repository/"
in_repository() { git -C "$repository" -c user.name=x -c user.email=x@localhost -c commit.gpgsign=false -c tag.gpgsign=false "$@"; }
version() { "$repository/deploy/build-packages.sh" --version; }
in_repository init -q
in_repository add .
in_repository commit -qm first
project=$(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' "$source/CMakeLists.txt")
sha() { git -C "$repository" rev-parse --short=7 HEAD; }
expect "version without tags" "$project~git1.$(sha)" "$(version)"
in_repository tag v3.1.0-rc1
expect "version of a candidate" '3.1.0~rc1' "$(version)"
in_repository commit -q --allow-empty -m second
in_repository tag v3.1.0
expect "version of a tag" 3.1.0 "$(version)"
in_repository commit -q --allow-empty -m third
expect "version after a tag" "3.1.0+git1.$(sha)" "$(version)"
dpkg --compare-versions "$(version)" gt 3.1.0 || fail "a version after a tag is less than the tag's"
dpkg --compare-versions 3.1.0~rc1 lt 3.1.0 || fail "a candidate is not less than what it becomes"
passed "versions follow the tags"

# What is inside.
root=$work/root
dpkg-deb -x "$daemon_deb" "$root"
dpkg-deb -x "$extension_deb" "$root"
dpkg-deb -e "$daemon_deb" "$work/control"
major=${extension_deb##*/postgresql-} major=${major%%-*}
for path in usr/bin/pgtrickle usr/bin/pgtrickled lib/systemd/system/pgtrickled.service usr/lib/sysusers.d/pgtrickled.conf \
  usr/lib/tmpfiles.d/pgtrickled.conf etc/pgtrickle/pgtrickled.yaml usr/share/man/man1/pgtrickle.1.gz usr/share/man/man8/pgtrickled.8.gz \
  usr/share/{bash-completion/completions/pgtrickle,zsh/vendor-completions/_pgtrickle,fish/vendor_completions.d/pgtrickle.fish} \
  usr/share/doc/pgtrickled/{copyright,changelog.Debian.gz,README.Debian} \
  "usr/share/postgresql/$major/extension/pg_trickle.control"; do
  [ -s "$root/$path" ] || fail "no package has /$path"
done
script=$(echo "$root/usr/share/postgresql/$major/extension"/pg_trickle--*.sql)
[ -s "$script" ] || fail "the extension has no script"
cmp "$source/config/pgtrickled.yaml" "$root/etc/pgtrickle/pgtrickled.yaml"
expect conffiles /etc/pgtrickle/pgtrickled.yaml "$(cat "$work/control/conffiles")"
depends=$(dpkg-deb -f "$daemon_deb" Depends)
for package in libc6 libpq5 libpqxx libsystemd0 libyaml-cpp tzdata; do
  [[ $depends = *"$package"* ]] || fail "pgtrickled does not depend on $package: $depends"
done
[[ $(dpkg-deb -f "$extension_deb" Depends) = *"postgresql-$major"* ]] || fail "the extension does not depend on its server"
if grep -qF -e "$source" -e "$build" "$root"/usr/bin/*; then fail "a program names the folder it was built in"; fi
expect "what runs the daemon" "/usr/bin/pgtrickled --config /etc/pgtrickle/pgtrickled.yaml" \
  "$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/pgtrickled.service")"
"$root/usr/bin/pgtrickled" --check-config --config "$root/etc/pgtrickle/pgtrickled.yaml" >/dev/null || fail "the sample configuration is bad"
passed "everything is inside"

# Manual pages and completions come from the table that --help prints.
# flags PROGRAM [COMMAND]: what --help lists.
flags() { "$@" --help | grep -oE '^  (-[a-z],)?--[a-z-]+' | grep -oE '\-\-[a-z-]+'; }
bash_words() { # PROGRAM WORD...: what bash offers for the last word
  local -a COMP_WORDS=("$@") COMPREPLY=()
  local COMP_CWORD=$(($# - 1))
  "_$1"
  printf '%s\n' "${COMPREPLY[@]}" | sort | xargs
}
# section_of PAGE [COMMAND]: that command's part of a manual page, without fonts and escapes.
section_of() {
  awk -v command="$2" '/^\.(SH|SS) /{ inside = command == "" ? $2 == "OPTIONS" : $1 == ".SS" && $2 == command } inside' "$1" |
    sed 's/\\f[BIR]//g; s/\\-/-/g'
}
count=0
for program in pgtrickle pgtrickled; do
  page=$(echo "$root"/usr/share/man/man?/"$program".?.gz)
  gunzip -c "$page" >"$work/$program.man"
  mandoc -T lint -W warning "$work/$program.man" || fail "mandoc finds warnings in $program"
  # shellcheck source=/dev/null  # generated
  . "$root/usr/share/bash-completion/completions/$program"
  binary=$root/usr/bin/$program
  fish=$root/usr/share/fish/vendor_completions.d/$program.fish
  zsh=$root/usr/share/zsh/vendor-completions/_$program
  mapfile -t commands < <("$binary" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
  [ "$program" = pgtrickled ] || [ ${#commands[@]} -gt 10 ] || fail "--help of $program lists ${#commands[@]} commands"
  for command in '' "${commands[@]}"; do
    section=$(section_of "$work/$program.man" "$command")
    offered=" $(bash_words "$program" ${command:+"$command"} --) "
    while read -r flag; do
      count=$((count + 1))
      grep -qE -- "(^|[ ,])$flag( |,|$)" <<<"$section" || fail "the manual page of $program lacks $command $flag"
      [[ $offered = *" $flag "* ]] || fail "bash does not complete $program $command $flag"
      grep -qE -- " -l ${flag#--}( |$)" "$fish" || fail "fish does not complete $program $command $flag"
      grep -qF -- "'${flag}[" "$zsh" || fail "zsh does not complete $program $command $flag"
    done < <(flags "$binary" ${command:+"$command"})
  done
  if command -v zsh >/dev/null; then zsh -n "$zsh" || fail "zsh cannot read its completion"; else echo "not tried: zsh is not installed"; fi
  if command -v fish >/dev/null; then fish --no-execute "$fish" || fail "fish cannot read its completion"; else echo "not tried: fish is not installed"; fi
done
[ "$count" -gt 50 ] || fail "--help shows $count flags only"
expect "commands that begin with ex" "explain export" "$(bash_words pgtrickle ex)"
expect "values of --mode" "AUTO IMMEDIATE" "$(bash_words pgtrickle validate --mode '')"
expect "a database that is named as a command" "--only" "$(bash_words pgtrickle --dsn install validate --o)"
expect "a value that anything can be" "" "$(bash_words pgtrickle create --schedule '')"
expect "files" "$work/root" "$(bash_words pgtrickle import "$work/roo")"
passed "manual pages and completions know $count flags"

unit=$root/lib/systemd/system/pgtrickled.service
systemd-analyze security --offline=true --threshold=19 --no-pager "$unit" >"$work/security" || { cat "$work/security"; fail "the unit is too open"; }
passed "the unit: $(tail -n 1 "$work/security" | sed 's/^[^O]*//')"
systemd-sysusers --root="$root" pgtrickled.conf 2>/dev/null || fail "systemd-sysusers"
expect "the service user" "/var/lib/pgtrickle" "$(grep '^pgtrickle:' "$root/etc/passwd" | cut -d: -f6)"
passed "the user is made"
