#!/bin/bash
# usage: predict_dependencies_test.sh <file with one label per line>
# A program that runs an exported model links no front end, and one backend only. R6
set -euo pipefail
dependencies=$1

# An empty list, or one of something else, would prove nothing.
for expected in //examples:predict //backends/cpu:register //serialization/native:model; do
  grep -qxF "${expected}" "${dependencies}" || {
    echo "${expected} is not in ${dependencies}"
    exit 1
  }
done

other='^//(frontends[/:]|backends:|backends/[^c]|backends/c[^p])'
if grep -E "${other}" "${dependencies}" | grep -v '^//backends:[A-Z]'; then
  echo "//examples:predict must not depend on these"
  exit 1
fi
