#!/bin/bash
# The summary of logs as Bazel and GoogleTest write them.
set -euo pipefail
readonly summary=$1

logs=${TEST_TMPDIR}/testlogs
mkdir -p "${logs}/a/sharded_test/shard_1_of_2" "${logs}/a/sharded_test/shard_2_of_2" \
  "${logs}/a/whole_test" "${logs}/a/other_test"
# From before the target had shards.
echo 'all checks: 1000 run, 0 unsupported, 0 skipped' > "${logs}/a/sharded_test/test.log"
touch -d '1 hour ago' "${logs}/a/sharded_test/test.log"
echo 'all checks: 10 run, 2 unsupported, 1 skipped' > "${logs}/a/sharded_test/shard_1_of_2/test.log"
echo 'all checks: 20 run, 1 unsupported, 0 skipped' > "${logs}/a/sharded_test/shard_2_of_2/test.log"
cat > "${logs}/a/whole_test/test.log" << 'LOG'
[ RUN      ] Suite.One
a/whole_test.cc:7: Skipped
no device

[  SKIPPED ] Suite.One (0 ms)
[ RUN      ] Suite.Two
a/whole_test.cc:7: Skipped
no device

[  SKIPPED ] Suite.Two (1 ms)
[  PASSED  ] 0 tests.
[  SKIPPED ] 2 tests, listed below:
[  SKIPPED ] Suite.One
[  SKIPPED ] Suite.Two
LOG
echo '[  PASSED  ] 3 tests.' > "${logs}/a/other_test/test.log"

seen=$("${summary}" "${logs}" << 'BAZEL'
INFO: Elapsed time: 1s
//a:sharded_test                                     PASSED in 0.1s
//a:whole_test                              (cached) PASSED in 0.1s
//a:other_test                                       FAILED in 0.1s
//a:unknown_test                                     PASSED in 0.1s
//a:not_run_test                                     SKIPPED
BAZEL
)
expected='//a:sharded_test: 30 checks run, 3 unsupported (9.1%), 1 skipped
//a:whole_test: 2 tests skipped: no device'
if [[ "${seen}" != "${expected}" ]]; then
  echo "expected:"; echo "${expected}"; echo "seen:"; echo "${seen}"
  exit 1
fi
