#!/usr/bin/env bash
# build-packages.sh [BUILD [OUT]]: Debian packages from a tree that is built (BUILD, by default build/), into OUT (BUILD/packages):
#
#   pgtrickled               daemon, command line tool, systemd unit, configuration, manual pages, shell completions
#   postgresql-NN-pgtrickle  extension pg_trickle for the server of pg_config (or $PG_CONFIG)
#
# Prints the paths of the packages, or with --version what their version would be. That follows the tags: v1.2.0 is 1.2.0, five
# commits later it is 1.2.0+git5.0abc123. Before the first tag it is 0.1.0~git1234.0abc123, which is less than 0.1.0.
# $PGT_PACKAGE_VERSION chooses another one. Two builds of one revision make the same bytes: all times are the commit's, or
# $SOURCE_DATE_EPOCH.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

source=$(cd "$(dirname "$0")/.." && pwd)
only_version=false
[ "${1:-}" != --version ] || { only_version=true; shift; }
build=$(realpath -m "${1:-$source/build}")
PGT_OUT=$(realpath -m "${2:-$build/packages}")
: "${PG_CONFIG:=pg_config}"
export PGT_MAINTAINER=${PGT_MAINTAINER:-pgtrickle developers <packages@pgtrickle.org>}
packaging=$source/deploy/packages
daemon=$build/daemon/pgtrickled
tool=$build/daemon/cli/pgtrickle

# Outside of a git checkout: the version of the project, and the date of its changelog.
in_git() { git -C "$source" rev-parse --git-dir >/dev/null 2>&1; }
version() {
  local project described revision count
  project=$(sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' "$source/CMakeLists.txt")
  in_git || { echo "$project"; return; }
  revision=$(git -C "$source" rev-parse --short=7 HEAD)
  if described=$(git -C "$source" describe --tags --match 'v[0-9]*' --long --abbrev=7 2>/dev/null); then
    count=${described%-g*} count=${count##*-}
    described=${described%-*-g*} described=${described#v}
    [ "$count" = 0 ] || described+="+git$count.$revision"
    echo "${described/-/\~}"   # v1.2.0-rc1 comes before v1.2.0
  else
    echo "$project~git$(git -C "$source" rev-list --count HEAD).$revision"
  fi
}
PGT_VERSION=${PGT_PACKAGE_VERSION:-$(version)}
if $only_version; then
  echo "$PGT_VERSION"
  exit 0
fi
for program in "$daemon" "$tool"; do
  [ -x "$program" ] || { echo "error: $program is not built: cmake --build ... --target pgtrickled pgtrickle" >&2; exit 1; }
done

if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  if in_git; then SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct); else SOURCE_DATE_EPOCH=$(stat -c %Y "$source/CHANGELOG.md"); fi
fi
# As others than Debian number their packages.
export PGT_REVISION=0pgtrickle1
export PGT_OUT PGT_VERSION SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$PGT_OUT"

# documents NAME: what every package has in its folder of documents.
documents() {
  local to=$PGT_STAGE/usr/share/doc/$1
  install -d "$to"
  install -m 644 "$packaging/copyright" "$to/copyright"
  gzip -9n <"$source/CHANGELOG.md" >"$to/changelog.gz"
  gzip -9n >"$to/changelog.Debian.gz" <<END
$1 ($PGT_VERSION-$PGT_REVISION) unstable; urgency=medium

  * Built from this version of pgtrickle; changelog.gz says what changed.

 -- $PGT_MAINTAINER  $(date -R -d "@$SOURCE_DATE_EPOCH")
END
}

# pack: one package from the environment.
pack() {
  find "$PGT_STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  if ! (cd "$work" && cpack --config "$packaging/cpack.cmake" >"$work/cpack.log" 2>&1); then
    cat "$work/cpack.log" >&2
    exit 1
  fi
  rm -rf "$PGT_OUT/_CPack_Packages"
  echo "$PGT_OUT/${PGT_NAME}_$PGT_VERSION-${PGT_REVISION}_$PGT_ARCHITECTURE.deb"
}

daemon_package() {
  export PGT_STAGE=$work/pgtrickled PGT_NAME=pgtrickled PGT_DESCRIPTION=$packaging/daemon/description
  export PGT_SUMMARY="daemon that keeps PostgreSQL stream tables fresh"
  PGT_ARCHITECTURE=$(dpkg --print-architecture)
  export PGT_ARCHITECTURE PGT_SHLIBDEPS=ON
  # tzdata: schedules with time zones. The others make the user and its directory.
  export PGT_DEPENDS="tzdata, systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles"
  export PGT_SUGGESTS="postgresql"
  export PGT_CONTROL="$packaging/daemon/conffiles;$packaging/daemon/postinst;$packaging/daemon/prerm;$packaging/daemon/postrm"
  local root=$PGT_STAGE program shell
  install -d "$root"/usr/{bin,lib/{sysusers.d,tmpfiles.d},share/man/man{1,8}} "$root/lib/systemd/system" "$root/etc/pgtrickle" \
    "$root"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
  for program in "$daemon" "$tool"; do
    install -m 755 "$program" "$root/usr/bin/"
    strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/${program##*/}"
  done
  sed 's|/usr/local/bin/|/usr/bin/|' "$source/deploy/pgtrickled.service" >"$root/lib/systemd/system/pgtrickled.service"
  install -m 644 "$packaging/daemon/sysusers.conf" "$root/usr/lib/sysusers.d/pgtrickled.conf"
  install -m 644 "$packaging/daemon/tmpfiles.conf" "$root/usr/lib/tmpfiles.d/pgtrickled.conf"
  install -m 644 "$source/config/pgtrickled.yaml" "$root/etc/pgtrickle/pgtrickled.yaml"
  "$tool" --print-man | gzip -9n >"$root/usr/share/man/man1/pgtrickle.1.gz"
  "$daemon" --print-man | gzip -9n >"$root/usr/share/man/man8/pgtrickled.8.gz"
  for program in "$tool" "$daemon"; do
    shell=${program##*/}
    "$program" --print-completion bash >"$root/usr/share/bash-completion/completions/$shell"
    "$program" --print-completion zsh >"$root/usr/share/zsh/vendor-completions/_$shell"
    "$program" --print-completion fish >"$root/usr/share/fish/vendor_completions.d/$shell.fish"
  done
  documents pgtrickled
  install -m 644 "$packaging/daemon/README.Debian" "$root/usr/share/doc/pgtrickled/README.Debian"
  # It is linked statically, and its license wants to be shown.
  { printf '\npgtrickled and pgtrickle contain libpg_query:\n\n'; cat /usr/share/doc/libpg-query-dev/copyright; } \
    >>"$root/usr/share/doc/pgtrickled/copyright"
  pack
}

extension_package() {
  local major library
  major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  export PGT_NAME=postgresql-$major-pgtrickle PGT_STAGE=$work/extension PGT_DESCRIPTION=$packaging/extension/description
  export PGT_SUMMARY="stream tables for PostgreSQL $major (extension)"
  export PGT_DEPENDS=postgresql-$major PGT_SUGGESTS=pgtrickled PGT_CONTROL=""
  mkdir "$work/source"
  cp -r "$source/ext-min" "$source/sql" "$work/source/"   # the build leaves nothing in the source tree
  make -s -C "$work/source/ext-min" install PG_CONFIG="$PG_CONFIG" DESTDIR="$PGT_STAGE" with_llvm=no \
    COPT="-ffile-prefix-map=$work=." >"$work/make.log" 2>&1 ||
    { cat "$work/make.log" >&2; exit 1; }
  library=$(find "$PGT_STAGE" -name '*.so' -print -quit)
  if [ -n "$library" ]; then
    find "$PGT_STAGE" -name '*.so' -exec strip --strip-unneeded {} + -exec chmod 644 {} +
    PGT_ARCHITECTURE=$(dpkg --print-architecture) PGT_SHLIBDEPS=ON
  else
    PGT_ARCHITECTURE=all PGT_SHLIBDEPS=OFF
  fi
  export PGT_ARCHITECTURE PGT_SHLIBDEPS
  documents "$PGT_NAME"
  pack
}

daemon_package
extension_package
