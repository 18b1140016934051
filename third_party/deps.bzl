"""External dependencies: tandem_deps() is called from WORKSPACE, ours or a
consumer's. A repository that is already declared is left alone, so a consumer
swaps in another copy by declaring the name first.

What each is for, its Debian package and its licence: third_party/README.md."""

load("@bazel_tools//tools/build_defs/repo:utils.bzl", "maybe")
load("//third_party:system_repository.bzl", "files_repository", "system_repository")
load("//third_party/absl:absl.bzl", "absl_aliases")
load("//third_party/libtorch:libtorch.bzl", "libtorch_repository")

def _bazel_rules():
    """What Bazel 4.2.3 would otherwise download."""
    maybe(
        files_repository,
        name = "rules_cc",
        empty = ["BUILD.bazel", "cc/BUILD.bazel"],
        files = {Label("//third_party/bazel_rules:rules_cc_defs.bzl.tpl"): "cc/defs.bzl"},
    )
    maybe(
        files_repository,
        name = "remote_coverage_tools",
        files = {
            Label("//third_party/bazel_rules:coverage.BUILD"): "BUILD.bazel",
            Label("//third_party/bazel_rules:lcov_merger.py"): "lcov_merger.py",
        },
    )
    maybe(
        native.local_repository,
        name = "rules_java",
        path = "/usr/share/bazel/rules/java",
    )
    maybe(
        native.local_repository,
        name = "rules_proto",
        path = "/usr/share/bazel/rules/proto",
    )
    maybe(
        native.local_repository,
        name = "bazel_skylib",
        path = "/usr/share/bazel/tools/skylib",
    )

def tandem_deps():
    """Declares every external repository of the project."""
    _bazel_rules()
    maybe(
        system_repository,
        name = "com_google_absl",
        aliases = absl_aliases(),
        debian_package = "libabsl-dev",
        pkg_config_prefix = "absl_",
        requires = ["absl/status/status.h"],
    )
    maybe(
        system_repository,
        name = "com_google_googletest",
        build_file = Label("//third_party/googletest:googletest.BUILD"),
        debian_package = "libgmock-dev",
        requires = ["gmock/gmock.h", "gtest/gtest.h"],
    )
    maybe(
        system_repository,
        name = "com_github_google_benchmark",
        build_file = Label("//third_party/benchmark:benchmark.BUILD"),
        debian_package = "libbenchmark-dev",
        requires = ["benchmark/benchmark.h"],
    )
    maybe(
        system_repository,
        name = "eigen",
        build_file = Label("//third_party/eigen:eigen.BUILD"),
        debian_package = "libeigen3-dev",
        links = {
            "Eigen": "Eigen",
            "unsupported": "unsupported",
        },
        roots = ["/usr/include/eigen3", "/usr/local/include/eigen3"],
    )
    maybe(
        system_repository,
        name = "com_google_protobuf",
        build_file = Label("//third_party/protobuf:protobuf.BUILD"),
        debian_package = "libprotobuf-dev",
        links = {"google/protobuf": "src/google/protobuf"},
        program_package = "protobuf-compiler",
        programs = ["protoc"],
        requires = ["google/protobuf/message.h"],
    )
    maybe(
        system_repository,
        name = "zlib",
        build_file = Label("//third_party/zlib:zlib.BUILD"),
        debian_package = "zlib1g-dev",
        requires = ["zlib.h"],
    )
    maybe(
        system_repository,
        name = "nlohmann_json",
        build_file = Label("//third_party/nlohmann_json:nlohmann_json.BUILD"),
        debian_package = "nlohmann-json3-dev",
        requires = ["nlohmann/json.hpp"],
    )
    maybe(
        system_repository,
        name = "vulkan",
        build_file = Label("//third_party/vulkan:vulkan.BUILD"),
        debian_package = "libvulkan-dev",
        program_package = "glslc spirv-tools",
        programs = ["glslc", "spirv-val"],
        requires = ["vulkan/vulkan.h"],
        toggle = "TANDEM_VULKAN",
    )
    maybe(
        system_repository,
        name = "shaderc",
        build_file = Label("//third_party/shaderc:shaderc.BUILD"),
        debian_package = "libshaderc-dev glslang-dev spirv-tools",
        requires = [
            "glslang/build_info.h",
            "shaderc/shaderc.h",
            "spirv-tools/libspirv.h",
        ],
        toggle = "TANDEM_VULKAN",
    )
    maybe(
        libtorch_repository,
        name = "libtorch",
    )
    maybe(
        system_repository,
        name = "fashion_mnist",
        build_file = Label("//third_party/fashion_mnist:fashion_mnist.BUILD"),
        debian_package = "dataset-fashion-mnist",
        links = {name: name for name in [
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
        ]},
        roots = ["/usr/share/datasets/fashion-mnist"],
    )
