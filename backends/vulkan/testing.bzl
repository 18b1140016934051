"""vulkan_cc_test: a test that opens a Vulkan device."""

load("//bazel:tandem.bzl", "tandem_cc_test")
load("//third_party/vulkan:vulkan.bzl", "VULKAN")

# Drivers and layers keep memory until exit, in libraries which the loader has closed by then:
# LeakSanitizer cannot tell whose it is.
VULKAN_TEST_ENV = {"LSAN_OPTIONS": "detect_leaks=0"}

# Has the validation layer look at what submissions do to each other, too, not only at the commands of
# each. It keeps all of them, so this is for short tests.
SUBMISSION_VALIDATION_ENV = {
    "VK_LAYER_ENABLES": "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT",
}

# Has Mesa's software drivers compile shaders without optimizing them, which takes most of the time of
# tests of many shaders. Without meaning to other drivers.
UNOPTIMIZED_SHADERS_ENV = {"GALLIVM_PERF": "nopt"}

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
