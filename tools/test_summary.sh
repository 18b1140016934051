#!/bin/bash
# Prints what the tests of a Bazel run did beside passing: the checks of the conformance suite, summed
# over the shards of a target, and the tests that skipped themselves, with their reasons.
#
#   ./bazelw test //... | tee log
#   tools/test_summary.sh "$(./bazelw info bazel-testlogs)" < log
set -euo pipefail
readonly testlogs=$1

# logs <folder of a target>: its latest log, or those of all its shards if the latest is of a shard.
logs() {
  local latest
  latest=$(ls -t "$1"/test.log "$1"/shard_*/test.log 2> /dev/null | head -n 1)
  case "${latest}" in
    '') ;;
    "$1"/test.log) echo "${latest}" ;;
    *) latest=${latest%/test.log} && echo "$1"/shard_*_of_"${latest##*_of_}"/test.log ;;
  esac
}

{ grep -oE '^//[^ ]+ +(\(cached\) )?(PASSED|FLAKY|FAILED|TIMEOUT)' || true; } | while read -r label _; do
  target=${label#//}
  read -r -a files <<< "$(logs "${testlogs}/${target/:/\/}")"
  (( ${#files[@]} == 0 )) || awk -v label="${label}" '
    # "all checks: 10 run, 2 unsupported, 1 skipped", the last line of tests/conformance/report.h.
    /^all checks: / { ++reports; run += $3; unsupported += $5; skipped += $7 }
    # GoogleTest: "file:line: Skipped", the reason, and later "[  SKIPPED ] Suite.Name (0 ms)".
    reason_follows { reason = $0; reason_follows = 0 }
    /: Skipped$/ { reason_follows = 1 }
    /^\[  SKIPPED \] .* ms\)$/ { ++skips[reason]; reason = "" }
    END {
      if (reports) {
        printf "%s: %d checks run, %d unsupported (%.1f%%), %d skipped\n", label, run, unsupported,
            100 * unsupported / (run + unsupported + !(run + unsupported)), skipped
      }
      for (reason in skips) printf "%s: %d tests skipped: %s\n", label, skips[reason], reason
    }' "${files[@]}"
done
