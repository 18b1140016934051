#!/usr/bin/python3
"""Writes compile_commands.json into the workspace, for clangd and clang-tidy.

    ./bazelw run //tools:compile_commands
    ./bazelw run //tools:compile_commands -- --config=clang //core/...

The arguments are options of the build, and the targets: all by default. The commands
come from Bazel's action graph; nothing is compiled. Headers that are generated, and
those behind "tandem/...", are there after a build of the targets.
"""

import json
import os
import subprocess
import sys

# Options of gcc which clang's tools do not know, and the fixed date of reproducible
# objects, a redefinition about which they warn.
NOT_FOR_CLANG_TOOLS = frozenset([
    "-D__DATE__=\"redacted\"",
    "-D__TIMESTAMP__=\"redacted\"",
    "-D__TIME__=\"redacted\"",
    "-fno-canonical-system-headers",
    "-Wno-free-nonheap-object",
    "-Wno-maybe-uninitialized",
    "-Wunused-but-set-parameter",
    "-pass-exit-codes",
])


def bazel_command(workspace):
    """Bazel with the output base of the `bazel run` that started this program."""
    command = [os.path.join(workspace, "bazelw")]
    output_base, inside, _ = os.getcwd().partition("/execroot/")
    if inside:
        command.append("--output_base=" + output_base)
    return command


def main():
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not workspace:
        sys.exit("usage: ./bazelw run //tools:compile_commands")
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    targets = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    bazel = bazel_command(workspace)

    def run(*arguments):
        result = subprocess.run(bazel + list(arguments), cwd=workspace, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, encoding="utf-8")
        if result.returncode != 0:
            sys.exit(result.stderr)
        return result.stdout

    # Bazel compiles in its execution root, where the last build left links to what it
    # needed. The workspace always has the sources, so the commands are for it.
    info = dict(line.split(": ", 1) for line in run(
        "info", *options, "execution_root", "output_base").splitlines())
    moved = {
        "bazel-out/": info["execution_root"] + "/bazel-out/",
        "external/": info["output_base"] + "/external/",
    }

    def absolute(argument):
        option = "-I" if argument.startswith("-I") else ""
        for prefix, replacement in moved.items():
            if argument.startswith(option + prefix):
                return option + replacement + argument[len(option + prefix):]
        return argument

    query = 'mnemonic("CppCompile", %s)' % " + ".join(targets or ["//..."])
    graph = json.loads(run("aquery", *options, query, "--output=jsonproto"))

    # A source may be compiled several times (isa.bzl): the last one is the baseline.
    commands = {}
    for action in graph.get("actions", []):
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if source.startswith(("external/", "bazel-out/")):
            continue
        commands[source] = {
            "directory": workspace,
            "file": os.path.join(workspace, source),
            "arguments": [absolute(a) for a in arguments if a not in NOT_FOR_CLANG_TOOLS],
        }
    path = os.path.join(workspace, "compile_commands.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump([commands[source] for source in sorted(commands)], out, indent=1)
        out.write("\n")
    print("%s: %d files" % (path, len(commands)))


if __name__ == "__main__":
    main()
