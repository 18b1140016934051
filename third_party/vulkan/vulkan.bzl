"""Whether this build has Vulkan: its headers, glslc, and shaderc to compile shaders at run time.

    load("//third_party/vulkan:vulkan.bzl", "VULKAN")

    tandem_cc_library(name = ..., target_compatible_with = VULKAN)

skips the target where something of it is missing, or with --repo_env=TANDEM_VULKAN=off;
--repo_env=TANDEM_VULKAN=on makes what is missing an error. The driver and its loader are looked for
when a program runs, and not here.
"""

load("@shaderc//:config.bzl", shaderc_available = "AVAILABLE", shaderc_required = "REQUIRED")
load("@vulkan//:config.bzl", vulkan_available = "AVAILABLE", vulkan_required = "REQUIRED")

VULKAN_AVAILABLE = vulkan_available and shaderc_available

# For target_compatible_with.
VULKAN = vulkan_required + shaderc_required
