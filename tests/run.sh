#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. Arguments go to ctest: tests/run.sh -L unit, -R name.
# PGT_PRESET chooses another preset: release (default), debug or sanitize. PGT_JOBS: parallel compilations; PGT_TEST_JOBS:
# parallel tests.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${PGT_PRESET:-release}

./deploy/install-deps.sh
cmake --preset "$preset"
cmake --build --preset "$preset" --parallel "${PGT_JOBS:-$(nproc)}"
exec tests/ctest.sh "$preset" "$@"
