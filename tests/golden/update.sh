#!/usr/bin/env bash
# Rewrites tests/golden/programs/, and docs/PROGRAMS.md, which explains two of them, with the build in build/ (or PGT_BUILD_DIR).
set -euo pipefail
cd "$(dirname "$0")/../.."
PGT_UPDATE_GOLDEN=1 tests/support/with_cluster.sh "${PGT_BUILD_DIR:-build}/tests/pgtrickle_golden_tests" --gtest_brief=1
docs/generate/programs.sh
git status --short tests/golden docs/PROGRAMS.md
