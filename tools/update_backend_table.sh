#!/bin/bash
# Writes docs/backends.md in the source tree: TOOL BACKEND...
set -eu
: "${BUILD_WORKSPACE_DIRECTORY:?start it with: ./bazelw run //tools:update_backend_table}"
page="$BUILD_WORKSPACE_DIRECTORY/docs/backends.md"
tool="$1"
shift
new="$(mktemp)"
trap 'rm -f "$new"' EXIT
"$tool" print "$page" "$@" >"$new"
install -m 644 "$new" "$page"
echo "wrote docs/backends.md"
