// Names a device: a type ("cpu", "vulkan", whatever a backend calls itself) and an ordinal.
//
//   TANDEM_ASSIGN_OR_RETURN(DeviceId id, DeviceId::Parse("cpu:0"));
//   id.type.name();  // "cpu"
//
// The set of types is open: a type is an interned string, so comparing costs one integer.
// Thread rules: everything here may be called from any thread.
#ifndef TANDEM_CORE_DEVICE_DEVICE_ID_H_
#define TANDEM_CORE_DEVICE_DEVICE_ID_H_

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tandem {

// An interned device type. Default: the empty type, which no backend has.
class DeviceType {
 public:
  DeviceType() = default;
  // Interns `name`. At most 255 types in a process; later ones map to the empty type, for which
  // every look-up fails with an error.
  static DeviceType Intern(absl::string_view name);

  absl::string_view name() const;
  // Dense, starting at 0 (the empty type): an index for tables.
  int index() const { return index_; }
  friend auto operator<=>(const DeviceType&, const DeviceType&) = default;

 private:
  explicit DeviceType(uint8_t index) : index_(index) {}
  uint8_t index_ = 0;
};

struct DeviceId {
  DeviceType type;
  int32_t ordinal = 0;

  // Accepts "cpu" and "cpu:0". INVALID_ARGUMENT for anything else.
  static absl::StatusOr<DeviceId> Parse(absl::string_view text);
  std::string ToString() const;  // "cpu:0"
  friend auto operator<=>(const DeviceId&, const DeviceId&) = default;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_DEVICE_ID_H_
