"""Repository rule for LibTorch, which only a peer of the benchmarks uses (benchmarks/peers). It is
no system package: --repo_env=TANDEM_LIBTORCH names a folder with LibTorch's `include` and `lib`,
which is what PyTorch's C++ archive unpacks to, and what a Python installation has in
site-packages/torch. Without it, targets that need it are skipped."""

_CONFIG = """\
\"\"\"Whether there is a LibTorch.\"\"\"

AVAILABLE = {available}

# For target_compatible_with: targets that need the library are skipped without it.
REQUIRED = {required}
"""

_BUILD = """\
load(":config.bzl", "REQUIRED")

package(default_visibility = ["//visibility:public"])

constraint_setting(name = "availability")

# No platform has this constraint: targets that require it are skipped.
constraint_value(
    name = "missing",
    constraint_setting = ":availability",
)

cc_library(
    name = "libtorch",
    hdrs = glob([
        "include/**/*.h",
        "include/**/*.hpp",
    ], allow_empty = True),
    includes = [
        "include",
        "include/torch/csrc/api/include",
    ],
    linkopts = {linkopts},
    target_compatible_with = REQUIRED,
)
"""

def _libtorch_repository_impl(rctx):
    root = rctx.os.environ.get("TANDEM_LIBTORCH", "")
    if root:
        for path in ["include/torch/csrc/api/include/torch/torch.h", "lib/libtorch_cpu.so"]:
            if not rctx.path(root + "/" + path).exists:
                fail("TANDEM_LIBTORCH is '{}', which has no {}".format(root, path))
        rctx.symlink(root + "/include", "include")
    rctx.file("config.bzl", _CONFIG.format(
        available = bool(root),
        required = [] if root else ["@{}//:missing".format(rctx.name)],
    ), executable = False)
    lib = root + "/lib"
    linkopts = ["-L" + lib, "-Wl,-rpath," + lib, "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10"]
    rctx.file("BUILD.bazel", _BUILD.format(linkopts = linkopts if root else []), executable = False)

libtorch_repository = repository_rule(
    implementation = _libtorch_repository_impl,
    configure = True,
    environ = ["TANDEM_LIBTORCH"],
    local = True,
)
