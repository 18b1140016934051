"""vulkan_cc_test: a test that opens a Vulkan device."""

load("//bazel:tandem.bzl", "tandem_cc_test")
load("//third_party/vulkan:vulkan.bzl", "VULKAN")

# Drivers and layers keep memory until exit, in libraries which the loader has closed by then:
# LeakSanitizer cannot tell whose it is.
VULKAN_TEST_ENV = {"LSAN_OPTIONS": "detect_leaks=0"}

# The validation layer takes two locks in both orders.
VULKAN_TEST_TAGS = ["notsan"]

def vulkan_cc_test(name, env = {}, tags = [], target_compatible_with = [], **kwargs):
    """tandem_cc_test for what opens a Vulkan device; skipped in builds without Vulkan.

    Args:
      name: as in cc_test.
      env: added to VULKAN_TEST_ENV.
      tags: added to VULKAN_TEST_TAGS.
      target_compatible_with: further constraints.
      **kwargs: as in tandem_cc_test.
    """
    tandem_cc_test(
        name = name,
        env = dict(VULKAN_TEST_ENV, **env),
        tags = VULKAN_TEST_TAGS + tags,
        target_compatible_with = VULKAN + target_compatible_with,
        **kwargs
    )
