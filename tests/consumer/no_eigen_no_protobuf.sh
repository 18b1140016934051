#!/bin/bash
# usage: no_eigen_no_protobuf.sh <file with one label per line> <library>...
# The libraries, whose dependencies the file lists, must not pull in the heavy ones.
set -euo pipefail
dependencies=$1
shift

# An empty list, or one of something else, would prove nothing.
for expected in "${@%%:*}" @com_google_absl//; do
  grep -qF "${expected}" "${dependencies}" || {
    echo "${expected} is not in ${dependencies}"
    exit 1
  }
done

heavy='^@(eigen|com_google_protobuf|nlohmann_json|zlib|vulkan|local_config_cuda)//|//backends'
if grep -qE "${heavy}" "${dependencies}"; then
  echo "$* must not depend on these, and perhaps more:"
  grep -E "${heavy}" "${dependencies}" | head -n 20
  exit 1
fi
