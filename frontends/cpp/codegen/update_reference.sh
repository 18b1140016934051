#!/bin/bash
# Copies the generated op reference to docs/ops.md in the source tree.
set -eu
: "${BUILD_WORKSPACE_DIRECTORY:?start it with: bazel run //frontends/cpp/codegen:update_reference}"
install -m 644 "$1" "$BUILD_WORKSPACE_DIRECTORY/docs/ops.md"
echo "wrote docs/ops.md"
