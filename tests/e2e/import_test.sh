#!/bin/bash
# usage: import_test.sh <export_networks> <compare_import> <file with the labels that it is made of>
# A network is trained on by a program that never saw its class, to the last bit: forward and every
# gradient, eager, compiled, and exported and imported, at several batch sizes. R17 R65 R73
set -euo pipefail
export_networks=$1 compare_import=$2 dependencies=$3
folder=${TEST_TMPDIR}/import
mkdir -p "${folder}"

# The classes are not in it. (An empty list, or one of something else, would prove nothing.)
grep -qxF //frontends/cpp:symbol_block "${dependencies}"
if grep -E '^//(examples|tests/e2e:networks)' "${dependencies}"; then
  echo "compare_import must not depend on these"
  exit 1
fi

"${export_networks}" "${folder}"
"${compare_import}" "${folder}" Mlp LeNet

# One bit of one gradient is enough.
python3 - "${folder}/LeNet-7-eager.observed" <<'END'
import json, struct, sys
with open(sys.argv[1], "r+b") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    gradients = [name for name in header if name.startswith("gradient/")]
    assert len(gradients) == 9, gradients
    file.seek(8 + length + header[gradients[-1]]["data_offsets"][0])
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 1]))
END
status=0
"${compare_import}" "${folder}" LeNet > "${TEST_TMPDIR}/out" 2>&1 || status=$?
grep -q ' 3 differ' "${TEST_TMPDIR}/out" && ((status == 1)) || {
  echo "a changed bit was not seen:"
  cat "${TEST_TMPDIR}/out"
  exit 1
}
