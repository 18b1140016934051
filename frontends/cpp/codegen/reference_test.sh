#!/bin/bash
# Fails if docs/ops.md is not what the op registry says.
if ! diff -u "$1" "$2"; then
  echo
  echo "docs/ops.md is out of date. Update it with:"
  echo "  ./bazelw run //frontends/cpp/codegen:update_reference"
  exit 1
fi
