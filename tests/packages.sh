#!/usr/bin/env bash
# packages.sh [BUILD]: makes the Debian packages of a tree that is built, and judges them: two builds are the same bytes; lintian finds
# nothing; what must be inside is; manual pages and completions know every flag that --help shows; the unit's score of
# systemd-analyze is below 2.0.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
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
