#!/bin/bash
# usage: control_flow_test.sh <control_flow> <control_flow.cc> <control_flow.md>
# The example prints what the page says, and the page shows the example's code. R46 R47
set -euo pipefail

"$1" > "${TEST_TMPDIR}/output"
diff "${TEST_TMPDIR}/output" - << 'EOF'
eager: -6
compiled: -6 and 3
sums: 1 3 6 10
the root of 2: 1.41422 after 3 steps, slope 0.353566
the root of 100: 10 after 7 steps, slope 0.05
EOF

# The code between the marks, without empty lines, against the code blocks of the page.
sed -n '/\[begin page\]/,/\[end page\]/p' "$2" | grep -v '\[begin page\]\|\[end page\]' |
  grep -v '^$' > "${TEST_TMPDIR}/code"
sed -n '/^```cpp$/,/^```$/p' "$3" | grep -v '^```' | grep -v '^$' > "${TEST_TMPDIR}/page"
diff "${TEST_TMPDIR}/code" "${TEST_TMPDIR}/page"
