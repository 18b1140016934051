#!/usr/bin/python3
"""Runs the conformance suite and the benchmarks on one device, and writes one report.

    ./bazelw run //tools:device_report -- --device=vulkan:0

The report is a Markdown file, device_report_vulkan_0.md in the current folder unless --output
names another: what the device is, how many checks ran, failed, are unsupported and were skipped,
and why; what the ops reach; and what Hybridize() is worth there. It is written in any case; the
exit status is 0 only if every part ran and nothing failed.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time

PARTS = ("conformance", "ops", "networks")
MAX_LISTED = 40  # of failed tests


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="device_report", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu:0", help="such as vulkan:0")
    parser.add_argument("--output", default="", help="the report; default: by the device's name")
    parser.add_argument("--parts", default=",".join(PARTS), help="of: %(default)s")
    parser.add_argument("--options", default="",
                        help="of the backend, for the conformance suite: name=value;name=value")
    parser.add_argument("--filter", default="*", help="tests of the suite, as GoogleTest's filter")
    parser.add_argument("--only", default="", help="ops to measure whose names contain this")
    parser.add_argument("--max_ms", default="100", help="of a call; larger sizes are left out")
    parser.add_argument("--seconds", default="0.1", help="of a measurement of the networks")
    for part in PARTS:
        parser.add_argument("--%s_program" % part, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts.split(",") if part not in PARTS]
    if unknown:
        parser.error("there is no part %s; there are %s" % (unknown[0], ", ".join(PARTS)))
    return arguments


def run(command):
    """Runs a program; returns (exit status, what it printed, its errors, seconds)."""
    start = time.monotonic()
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                            encoding="utf-8", errors="replace")
    return result.returncode, result.stdout, result.stderr, time.monotonic() - start


def ended(status):
    return "was ended by signal %d" % -status if status < 0 else "ended with status %d" % status


def code_block(text):
    lines = text.strip().splitlines()
    if len(lines) > 60:
        lines = lines[:30] + ["... %d lines ..." % (len(lines) - 60)] + lines[-30:]
    return "```\n%s\n```\n" % "\n".join(lines)


def row(*cells):
    return "| %s |\n" % " | ".join(str(cell).replace("|", "\\|") for cell in cells)


def suites_table(results):
    """The suite's tests by check, and the list of those that failed."""
    text = "| tests of | passed | failed | skipped |\n|---|---|---|---|\n"
    failed = []
    for suite in results["testsuites"]:
        passed = skipped = failures = 0
        for test in suite["testsuite"]:
            if test["result"] == "SUPPRESSED":
                continue
            if test.get("failures"):
                failures += 1
                message = test["failures"][0]["failure"].strip().splitlines()
                # The first line is a place in the suite.
                failed.append((suite["name"] + "." + test["name"], " ".join(message[1:4])[:300]))
            elif test["result"] == "SKIPPED":
                skipped += 1
            else:
                passed += 1
        text += row(suite["name"], passed, failures, skipped)
    if failed:
        text += "\n| failed | |\n|---|---|\n"
        text += "".join(row("`%s`" % name, message) for name, message in failed[:MAX_LISTED])
        if len(failed) > MAX_LISTED:
            text += "\nand %d more.\n" % (len(failed) - MAX_LISTED)
    return text, len(failed)


def counts_table(output):
    """What the suite counted: cases by check, and why some did not run."""
    text = "| check | cases run | unsupported | skipped |\n|---|---|---|---|\n"
    reasons = {}  # (how, why) -> [cases, ops]
    found = False
    for line in output.splitlines():
        counts = re.fullmatch(r"(.+): (\d+) run, (\d+) unsupported, (\d+) skipped", line)
        reason = re.fullmatch(r"  (unsupported|skipped) (\d+): (.*)", line)
        if counts:
            found = True
            text += row(*counts.groups())
        elif reason:
            how, cases, why = reason.groups()
            # A device without a dtype has hundreds of cases: one line for the dtype.
            of_dtype = re.match(r"(\w+) of (\w+):", why)
            entry = reasons.setdefault((how, "of " + of_dtype[2] if of_dtype else why), [0, set()])
            entry[0] += int(cases)
            if of_dtype:
                entry[1].add(of_dtype[1])
    if not found:
        return ""
    if reasons:
        text += "\n| not run | cases | which |\n|---|---|---|\n"
        for (how, why), (cases, ops) in sorted(reasons.items()):
            text += row(how, cases, why + (": " + ", ".join(sorted(ops)) if ops else ""))
    return text


def conformance(arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "results.json")
        command = [arguments.conformance_program, "--device=" + arguments.device,
                   "--gtest_output=json:" + path, "--gtest_filter=" + arguments.filter]
        if arguments.options:
            command.append("--options=" + arguments.options)
        status, output, errors, seconds = run(command)
        results = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                results = json.load(file)
    if results is None:
        # A device that cannot be opened is no failure of the suite, but there is nothing to report.
        return "The suite %s and has no results:\n\n%s" % (
            ended(status), code_block(errors or output)), False
    tests, failed = suites_table(results)
    first = output.splitlines()[0] if output else ""
    text = "%s; %.0f s.\n\n%s\n%s" % (first, seconds, counts_table(output), tests)
    if status != 0 and failed == 0:
        text += "\nThe suite %s:\n\n%s" % (ended(status), code_block(errors))
    ran = any(suite["tests"] for suite in results["testsuites"])
    if not ran:
        text += "\nNo test matches the filter.\n"
    return text, ran and status == 0 and failed == 0


def ops(arguments):
    status, output, errors, seconds = run([
        arguments.ops_program, "--device=" + arguments.device, "--max_ms=" + arguments.max_ms,
        "--only=" + arguments.only])
    text = output + "\n%.0f s.\n" % seconds
    if status != 0:
        text += "\nThe benchmark %s:\n\n%s" % (ended(status), code_block(errors))
    return text, status == 0


def networks(arguments):
    status, output, errors, seconds = run([
        arguments.networks_program, "--device=" + arguments.device,
        "--seconds=" + arguments.seconds, "--rounds=3"])
    text = code_block(output) + "\n%.0f s.\n" % seconds
    if status != 0:
        text += "\nThe benchmark %s:\n\n%s" % (ended(status), code_block(errors))
    return text, status == 0


def commit():
    """The commit that the workspace stands at; "unknown" outside of one."""
    folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not folder:
        return "unknown"
    try:
        return subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty"], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              encoding="utf-8").stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main():
    arguments = parse_arguments()
    output = arguments.output or "device_report_%s.md" % re.sub(r"\W", "_", arguments.device)
    # `bazel run` starts programs in a folder of its own.
    output = os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", "."), output)
    sections = {"conformance": ("Conformance", conformance), "ops": ("Ops", ops),
                "networks": ("Networks: eager, hybridized, static", networks)}
    report = "# Device report: %s\n\n" % arguments.device
    report += "%s; commit %s; %s %s.\n" % (
        datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), commit(),
        platform.system(), platform.machine())
    verdicts = []
    for part in arguments.parts.split(","):
        title, function = sections[part]
        print("running: %s" % part, flush=True)
        text, ok = function(arguments)
        report += "\n## %s\n\n%s" % (title, text)
        verdicts.append((part, ok))
    verdict = ", ".join("%s %s" % (part, "passed" if ok else "FAILED") for part, ok in verdicts)
    head, rest = report.split("\n\n", 1)
    with open(output, "w", encoding="utf-8") as file:
        file.write("%s\n\n**%s**\n\n%s" % (head, verdict, rest))
    print("%s\nwrote %s" % (verdict, os.path.basename(output)))
    return 0 if all(ok for _, ok in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
