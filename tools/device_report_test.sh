#!/bin/bash
# The report of a device that is there has every part's figures; one of a device that is not says so,
# and the command fails.
set -euo pipefail
report="${TEST_TMPDIR}/report.md"

"$@" --device=cpu:0 --output="${report}" --filter='*.square' --only='add f32' --max_ms=1 \
  --parts=conformance,ops
cat "${report}"
grep -q '^# Device report: cpu:0$' "${report}"
grep -q '^\*\*conformance passed, ops passed\*\*$' "${report}"
grep -Eq '^\| reference \| [1-9][0-9]* \| 0 \| 0 \|$' "${report}"
grep -Eq '^\| Hybrid \| 1 \| 0 \| 0 \|$' "${report}"
grep -Eq '^\| add f32 \| 65536 \| 0.5 MiB \| [0-9.e+]+ \| [0-9.e+]+ \|  \|$' "${report}"

if "$@" --device=elsewhere:0 --output="${report}"; then
  echo "a device that is not there passed"
  exit 1
fi
grep -q '^\*\*conformance FAILED, ops FAILED, networks FAILED\*\*$' "${report}"
grep -q 'elsewhere' "${report}"

if "$@" --device=cpu:0 --output="${report}" --filter='Nothing.*' --parts=conformance; then
  echo "a suite without tests passed"
  exit 1
fi
if "$@" --device=cpu:0 --output="${report}" --parts=everything 2>/dev/null; then
  echo "a part that is not there passed"
  exit 1
fi
