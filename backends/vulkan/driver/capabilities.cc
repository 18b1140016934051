#include "tandem/backends/vulkan/driver/capabilities.h"

#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace tandem::vulkan_backend {
namespace {

struct Feature {
  const char* name;
  bool Capabilities::*field;
};

constexpr Feature kFeatures[] = {
    {"float64", &Capabilities::float64},
    {"int64", &Capabilities::int64},
    {"storage8", &Capabilities::storage8},
    {"storage16", &Capabilities::storage16},
    {"float16", &Capabilities::float16},
    {"subgroups", &Capabilities::subgroups},
    {"cooperative_matrix", &Capabilities::cooperative_matrix},
    {"push_descriptors", &Capabilities::push_descriptors},
    {"unified_memory", &Capabilities::unified_memory},
    {"many_buffers", &Capabilities::many_buffers},
};

}  // namespace

std::vector<absl::string_view> FeatureNames(const Capabilities& capabilities) {
  std::vector<absl::string_view> names;
  for (const Feature& feature : kFeatures) {
    if (capabilities.*feature.field) names.push_back(feature.name);
  }
  return names;
}

absl::Status DisableFeatures(absl::string_view names, Capabilities* capabilities) {
  for (absl::string_view name : absl::StrSplit(names, ',', absl::SkipWhitespace())) {
    name = absl::StripAsciiWhitespace(name);
    const Feature* found = nullptr;
    for (const Feature& feature : kFeatures) {
      if (name == feature.name) found = &feature;
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("vulkan: there is no feature '", name, "' to disable; there are ",
                       absl::StrJoin(kFeatures, ", ", [](std::string* out, const Feature& feature) {
                         absl::StrAppend(out, feature.name);
                       })));
    }
    capabilities->*found->field = false;
  }
  if (!capabilities->push_descriptors) capabilities->max_push_descriptors = 0;
  if (!capabilities->many_buffers) capabilities->max_storage_buffers = kRequiredStorageBuffers;
  if (!capabilities->subgroups) capabilities->subgroup_size = 1;
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
