#!/usr/bin/env bash
# Tests of the chart helm/pgtrickle and of the Containerfiles, without a cluster and without helm:
#   run.sh           renders the chart with all files of values, and judges what comes out (chart_test.go, containers_test.go)
#   run.sh render [-release NAME] [-namespace NAME] [-f VALUES]... CHART    prints what `helm template` would print
# Exits with 77, after everything else has passed, if the schemas of Kubernetes cannot be had from the npm registry: they
# are kept in $PGT_NODE_MODULES (/var/tmp/pgtrickle-node).
set -euo pipefail
cd "$(dirname "$0")"

skip() {
  echo "SKIPPED: $1"
  exit 77
}

# Debian's Go packages are no modules: they are found by GOPATH.
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS=-p=1
command -v go >/dev/null || skip "no go: deploy/install-deps.sh installs golang-go"
for package in github.com/Masterminds/sprig github.com/xeipuuv/gojsonschema sigs.k8s.io/yaml; do
  [ -d "$GOPATH/src/$package" ] || skip "no Go package $package: deploy/install-deps.sh installs it"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "${1:-}" = render ]; then
  shift
  go build -o "$work/render" .
  cd "$OLDPWD"
  "$work/render" "$@"
  exit
fi

if [ -n "$(gofmt -l .)" ]; then
  gofmt -d .
  exit 1
fi
go vet .
# -count=1: the daemon and the chart may be others than the last time.
PGT_HELM_OBJECTS=$work/objects go test -count=1 .

# modules: prints the folder with the packages of schemas/package-lock.json.
modules() {
  local all=${PGT_NODE_MODULES:-/var/tmp/pgtrickle-node} folder
  folder=$all/$(cat schemas/package.json schemas/package-lock.json | sha256sum | cut -c 1-16)
  mkdir -p "$all"
  exec 9>"$all/lock"
  flock 9  # two runs at the same time install once
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir "$folder"
    cp schemas/package.json schemas/package-lock.json "$folder"
    (cd "$folder" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 </dev/null) || return 1
    touch "$folder/complete"
  fi
  echo "$folder"
}

for tool in node npm; do
  command -v "$tool" >/dev/null || skip "no $tool: no object was compared with the schemas of Kubernetes"
done
folder=$(modules) || skip "the npm registry does not answer: no object was compared with the schemas of Kubernetes"
node schemas/schemas.js "$folder" "$work/objects"
