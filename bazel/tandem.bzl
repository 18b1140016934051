"""The project's C++ rules: tandem_cc_library, tandem_cc_test, tandem_cc_binary,
tandem_proto_library.

They are the ordinary rules with two things added.

*   A header is included by the project's name and its path, inside the repository
    and in a consumer's: #include "tandem/core/tensor/tensor.h". Consumers have
    folders named `core` too.
*   The project's warnings. They are errors in our own workspace only (.bazelrc).
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_proto_library", "cc_test")
load("@rules_proto//proto:defs.bzl", "proto_library")

TANDEM_COPTS = [
    "-Wall",
    "-Wextra",
    "-Wno-sign-compare",
    # An interface names the parameters that one implementation does not need.
    "-Wno-unused-parameter",
]

def _include_prefix():
    return "/".join([part for part in ["tandem", native.package_name()] if part])

def tandem_cc_library(name, copts = [], **kwargs):
    """cc_library whose headers are included as "tandem/<package>/<header>".

    Args:
      name: as in cc_library.
      copts: added to the project's.
      **kwargs: as in cc_library.
    """
    if "include_prefix" not in kwargs:
        kwargs["include_prefix"] = _include_prefix()
    cc_library(
        name = name,
        copts = TANDEM_COPTS + copts,
        # No shared object of each library: programs are linked statically, and what
        # is loaded at run time is linked from the archives.
        linkstatic = True,
        **kwargs
    )

def tandem_cc_test(name, copts = [], deps = [], size = "small", **kwargs):
    """cc_test with GoogleTest, GoogleMock and their main().

    Args:
      name: as in cc_test.
      copts: added to the project's.
      deps: as in cc_test, without GoogleTest.
      size: as in cc_test, but small by default: a unit test takes seconds.
      **kwargs: as in cc_test.
    """
    cc_test(
        name = name,
        size = size,
        copts = TANDEM_COPTS + copts,
        deps = deps + ["@com_google_googletest//:gtest_main"],
        **kwargs
    )

def tandem_cc_binary(name, copts = [], **kwargs):
    """cc_binary with the project's warnings.

    Args:
      name: as in cc_binary.
      copts: added to the project's.
      **kwargs: as in cc_binary.
    """
    cc_binary(
        name = name,
        copts = TANDEM_COPTS + copts,
        **kwargs
    )

def tandem_proto_library(name, visibility = None, testonly = False, **kwargs):
    """proto_library and its C++: x_proto, imported as "tandem/<package>/x.proto", and x_cc_proto.

    The generated header is included as "tandem/<package>/x.pb.h".

    Args:
      name: ends with _proto.
      visibility: of both targets.
      testonly: of both targets.
      **kwargs: as in proto_library.
    """
    if not name.endswith("_proto"):
        fail("the name of a tandem_proto_library must end with _proto, unlike " + name)
    proto_library(
        name = name,
        testonly = testonly,
        # Unlike include_prefix, counted from the repository's root.
        import_prefix = "tandem",
        visibility = visibility,
        **kwargs
    )
    cc_proto_library(
        name = name[:-len("proto")] + "cc_proto",
        testonly = testonly,
        visibility = visibility,
        deps = [":" + name],
    )
