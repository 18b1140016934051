#!/bin/bash
# usage: predict_test.sh <predict>
# The golden model runs without a front end, in batches, and bad inputs get clear errors. R6
set -euo pipefail
predict=$1
model=(tests/golden/mlp-symbol.json tests/golden/mlp-0000.params)

# write <file> <name> <shape, JSON> <number>...: a safetensors file of floats
write() {
  python3 - "$@" <<'END'
import json, struct, sys
path, name, shape, *values = sys.argv[1:]
data = struct.pack("<%df" % len(values), *map(float, values))
entry = {"dtype": "F32", "shape": json.loads(shape), "data_offsets": [0, len(data)]}
header = json.dumps({name: entry}).encode()
header += b" " * (-len(header) % 8)
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + data)
END
}

# 1,001 equal rows are two batches. A row times the weights is (0.5, 0.5), the bias is (0.5, 0.75), and
# 0.5 comes after relu: (1.5, 1.75), exactly.
in=${TEST_TMPDIR}/in out=${TEST_TMPDIR}/out
row=(-2 2 0 0)
rows=()
for ((i = 0; i < 1001; ++i)); do rows+=("${row[@]}"); done
write "${in}" data '[1001,4]' "${rows[@]}"
"${predict}" "${model[@]}" "${in}" "${out}"
python3 - "${out}" <<'END'
import json, struct, sys
with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    data = file.read()
assert header["y"]["shape"] == [1001, 2], header
assert data == struct.pack("<2f", 1.5, 1.75) * 1001, data[:8]
END

# fails <part of the error> <argument>...
fails() {
  local expected=$1
  shift
  rm -f "${out}"
  if "${predict}" "$@" 2> "${TEST_TMPDIR}/error"; then
    echo "should have failed: predict $*"
    exit 1
  fi
  [[ ! -e ${out} ]] || { echo "output beside an error: predict $*"; exit 1; }
  grep -qF -- "${expected}" "${TEST_TMPDIR}/error" || {
    echo "predict $*: not '${expected}' but:"
    cat "${TEST_TMPDIR}/error"
    exit 1
  }
}
fails "usage: predict" "${model[@]}"
write "${in}" data '[0,4]'
fails "'data' of shape [0,4] has no rows" "${model[@]}" "${in}" "${out}"
write "${in}" data '[]' 1
fails "'data' is a scalar" "${model[@]}" "${in}" "${out}"
write "${in}" image '[1,4]' 1 2 3 4
fails "has no tensor 'data'" "${model[@]}" "${in}" "${out}"
write "${in}" data '[1,3]' 1 2 3
fails "matmul" "${model[@]}" "${in}" "${out}"
