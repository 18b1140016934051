"""isa_library: the same kernel sources compiled for several instruction sets."""

load(":tandem.bzl", "tandem_cc_library")

# Level -> flags. The program chooses one level at run time, by what the CPU has.
ISA_COPTS = {
    "avx2": [
        "-mavx2",
        "-mfma",
        "-mf16c",
    ],
    "avx512": [
        "-mavx512f",
        "-mavx512bw",
        "-mavx512cd",
        "-mavx512dq",
        "-mavx512vl",
        "-mfma",
        "-mf16c",
        # False positives in gcc 12's avx512fintrin.h; clang has no such option.
        "-Wno-maybe-uninitialized",
        "-Wno-uninitialized",
        "-Wno-unknown-warning-option",
    ],
    "baseline": [],
}

ISA_LEVELS = sorted(ISA_COPTS.keys())

def _flags(level):
    # On other CPUs the levels exist, so that the code links, but are all baseline.
    return select({
        "@platforms//cpu:x86_64": ISA_COPTS[level],
        "//conditions:default": [],
    })

def isa_library(
        name,
        srcs,
        hdrs = [],
        deps = [],
        copts = [],
        local_defines = [],
        visibility = None,
        **kwargs):
    """Compiles `srcs` once per level; their code must be in namespace TANDEM_ISA.

    TANDEM_ISA is isa_baseline, isa_avx2 or isa_avx512. The macro Eigen renames Eigen's
    namespace likewise, so that a template instantiated in two levels gives two symbols:
    otherwise the linker keeps one of them, perhaps the one this CPU cannot execute. The
    test name_<level>_symbols_test fails where this does not hold. So kernels take raw
    pointers, and use no templates of std or absl whose code is not inlined away.

    The compiler fuses a * b + c where the level has the instruction, so levels differ in
    the last bit. Where they must not: copts = ["-ffp-contract=off"].

    Args:
      name: the library with all levels; name_<level> are its parts.
      srcs: sources, compiled once per level, with -O3.
      hdrs: headers, the same for all levels.
      deps: as in cc_library.
      copts: as in cc_library, before the flags of the level.
      local_defines: as in cc_library.
      visibility: of the library; its parts are private.
      **kwargs: as in cc_library.
    """
    testonly = kwargs.get("testonly", False)
    for level in ISA_LEVELS:
        part = "%s_%s" % (name, level)
        tandem_cc_library(
            name = part,
            srcs = srcs,
            hdrs = hdrs,
            copts = ["-O3"] + copts + _flags(level),
            local_defines = local_defines + [
                "Eigen=Eigen_" + level,
                "TANDEM_ISA=isa_" + level,
            ],
            visibility = ["//visibility:private"],
            deps = deps,
            **kwargs
        )
        native.filegroup(
            name = part + "_archive",
            testonly = testonly,
            srcs = [":" + part],
            output_group = "archive",
            visibility = ["//visibility:private"],
        )
        native.sh_test(
            name = part + "_symbols_test",
            size = "small",
            srcs = [Label("//bazel:isa_symbols_test.sh")],
            args = [
                level,
                "$(rootpaths :%s_archive)" % part,
            ],
            data = [":%s_archive" % part],
            # Instrumented objects have symbols of the sanitizer.
            tags = ["nosanitizer"],
        )
    tandem_cc_library(
        name = name,
        hdrs = hdrs,
        visibility = visibility,
        deps = deps + [":%s_%s" % (name, level) for level in ISA_LEVELS],
        **{key: value for key, value in kwargs.items() if key != "alwayslink"}
    )
