#!/bin/bash
# usage: inspect_test.sh <inspect>
# The tool prints the golden model as text and as a drawing, and says what is wrong with a file. R64 R7
set -euo pipefail
inspect=$1
symbol=tests/golden/mlp-symbol.json
params=tests/golden/mlp-0000.params

"${inspect}" "${symbol}" "${params}" > "${TEST_TMPDIR}/text"
diff - "${TEST_TMPDIR}/text" <<'END'
// model mlp0
// signature:
//   data: f32[?,4]
//   -> y: f32[1,2] as traced
// 2 stored tensors, 10 elements, 40 bytes:
//   dense0_weight: f32[2,4] parameter, 32 bytes
//   dense0_bias: f32[2] parameter, 8 bytes
// blocks:
//   mlp0: MLP
//   mlp0/dense0: Dense config=2

graph @mlp0(%data: f32[1,4] argument, %dense0_weight: f32[2,4] parameter, %dense0_bias: f32[2] parameter) -> (f32[1,2] "y") {
  %2 = matmul(%data, %dense0_weight) {transpose_b=true} : f32[1,2] in "mlp0/dense0" at "mlp.cc:7"
  %4 = add(%2, %dense0_bias) : f32[1,2] in "mlp0/dense0" at "mlp.cc:7"
  %5 = relu(%4) : f32[1,2] in "mlp0" at "mlp.cc:8"
  %6 = full() {shape=[2], value=0.5} : f32[2] in "mlp0" at "mlp.cc:9"
  %7 = add(%5, %6) : f32[1,2] in "mlp0" at "mlp.cc:9"
  return %7
}
END

"${inspect}" "${symbol}" > "${TEST_TMPDIR}/text"
grep -qF "(not read)" "${TEST_TMPDIR}/text"

"${inspect}" --dot "${symbol}" > "${TEST_TMPDIR}/dot"
head -n 1 "${TEST_TMPDIR}/dot" | grep -q "^digraph"
grep -q matmul "${TEST_TMPDIR}/dot"

# fails <part of the error> <argument>...
fails() {
  local expected=$1
  shift
  if "${inspect}" "$@" > "${TEST_TMPDIR}/out" 2> "${TEST_TMPDIR}/error"; then
    echo "should have failed: inspect $*"
    exit 1
  fi
  [[ ! -s ${TEST_TMPDIR}/out ]] || { echo "output beside an error: inspect $*"; exit 1; }
  grep -qF -- "${expected}" "${TEST_TMPDIR}/error" || {
    echo "inspect $*: not '${expected}' but:"
    cat "${TEST_TMPDIR}/error"
    exit 1
  }
}
fails "usage: inspect"
fails "usage: inspect" "${symbol}" "${params}" "${params}"
fails "no flag '--svg'" --svg "${symbol}"
fails "absent.json" absent.json
fails "mlp-0000.params" "${params}"
head -c 100 "${symbol}" > "${TEST_TMPDIR}/torn.json"
fails "torn.json" "${TEST_TMPDIR}/torn.json"
# One byte of a parameter is another one.
cp "${params}" "${TEST_TMPDIR}/changed.params"
chmod u+w "${TEST_TMPDIR}/changed.params"
size=$(stat -L -c %s "${params}")
printf '\x55' | dd of="${TEST_TMPDIR}/changed.params" bs=1 seek=$((size - 1)) conv=notrunc 2> /dev/null
fails "'dense0_weight'" "${symbol}" "${TEST_TMPDIR}/changed.params"
