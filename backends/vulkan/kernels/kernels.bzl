"""What the families of kernels share: what they include, and how variants are named."""

KERNEL_DEPS = [
    "//backends/vulkan:vulkan_kernel",
    "//core/base:checked_math",
    "//core/base:status_macros",
    "//core/op:kernel",
    "@com_google_absl//absl/status",
    "@com_google_absl//absl/status:statusor",
    "@com_google_absl//absl/strings",
]

# Suffix of a variant's name -> its macros: elements as shaders compute with them, or of 16 bits as
# they are stored, which are computed with in f32.
STORED = {
    "": [],
    "_bf16": ["STORE_BF16"],
    "_f16": ["STORE_F16"],
}

# With and without operations across a subgroup.
SUBGROUPS = {
    "": [],
    "_subgroup": ["SUBGROUPS"],
}

# Data is moved in units of so many bytes.
UNITS = [
    "b1",
    "b2",
    "b4",
    "b8",
    "b16",
]

def shader_path(name):
    """The label of a file that shaders of all families include."""
    return "//backends/vulkan/shaders:%s.glsl" % name
