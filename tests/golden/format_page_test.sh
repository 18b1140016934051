#!/bin/bash
# The reader that docs/format.md shows runs, and reads the golden files. R67
set -euo pipefail

reader="$TEST_TMPDIR/reader.py"
sed -n '/^```python$/,/^```$/p' docs/format.md | sed '1d;$d' > "$reader"
python3 "$reader" tests/golden/mlp-symbol.json tests/golden/mlp-0000.params \
    > "$TEST_TMPDIR/actual"
diff "$TEST_TMPDIR/actual" - <<'END'
dense0_weight f32[2,4] [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75]
dense0_bias f32[2] [0.5, 0.75]
[2] = matmul [0, 1]
[4] = add [2, 3]
[5] = relu [4]
[6] = full []
[7] = add [5, 6]
END
