#!/bin/bash
# usage: hybrid_tour_test.sh <hybrid_tour>
# The tour runs, and shows what it says it shows. R1 R26 R33 R54 R55 R65
set -euo pipefail

"$1" > "${TEST_TMPDIR}/tour" || {
  echo "exit status $?"
  grep '^!!' "${TEST_TMPDIR}/tour" || tail -n 20 "${TEST_TMPDIR}/tour"
  exit 1
}
tour=${TEST_TMPDIR}/tour

# shows <how many lines> <what they are, as a regular expression>
shows() {
  local count
  count=$(grep -cE -- "$2" "${tour}") || true
  [[ ${count} == "$1" ]] || {
    echo "$1 lines should be like '$2', but ${count} are"
    exit 1
  }
}
shows 0 '^!!'
shows 9 '^== [1-9]\. '
shows 2 '^every bit is the same$'
shows 3 '^1000 calls, .*: [0-9.]+ sec$'
shows 8 '^error: '
shows 1 '^digraph'
shows 1 '^my_lenet-symbol.json  [0-9]+ bytes$'
