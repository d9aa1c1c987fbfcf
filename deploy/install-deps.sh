#!/usr/bin/env bash
# Installs the Debian packages that pgtrickle is built and tested with. Needs root only if something is missing.
# Idempotent: returns at once when everything is there. Never creates, starts or changes a PostgreSQL cluster.
set -euo pipefail

# docs/DEVELOPING.md says why each is here.
packages=(
  build-essential cmake ninja-build ccache pkg-config
  libpqxx-dev libpq-dev libpg-query-dev libprotobuf-dev protobuf-compiler
  libboost1.81-dev libspdlog-dev libyaml-cpp-dev prometheus-cpp-dev libhowardhinnant-date-dev libcli11-dev nlohmann-json3-dev libsystemd-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  postgresql-15 postgresql-server-dev-15 sqlsmith pgbouncer
  clang-format clang-tidy shellcheck
  debootstrap patchelf lintian mandoc file
  golang-go golang-github-masterminds-sprig-dev golang-github-xeipuuv-gojsonschema-dev golang-k8s-sigs-yaml-dev
)
# Debian's nodejs has no npm, others bring it along: what is there is left alone.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

echo "installing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "error: these packages are missing and installing them needs root: apt-get install ${missing[*]}" >&2
  exit 1
fi

# The server package creates and starts a cluster "main" by default. We bring our own clusters, so switch that off for
# the time of this installation only.
no_cluster=/etc/postgresql-common/createcluster.d/pgtrickle-install.conf
mkdir -p "$(dirname "$no_cluster")"
trap 'rm -f "$no_cluster"' EXIT
echo "create_main_cluster = false" >"$no_cluster"

export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1  # no service is started
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
