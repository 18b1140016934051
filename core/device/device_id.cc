#include "tandem/core/device/device_id.h"

#include <array>
#include <atomic>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace tandem {
namespace {

constexpr int kMaxTypes = 256;

struct InternTable {
  absl::Mutex mutex;
  // Entries below `count` never change, so name() reads them without the lock.
  std::array<std::string, kMaxTypes> names;
  std::atomic<int> count{1};
};

InternTable& Table() {
  static auto* table = new InternTable;
  return *table;
}

}  // namespace

DeviceType DeviceType::Intern(absl::string_view name) {
  InternTable& table = Table();
  absl::MutexLock lock(&table.mutex);
  const int count = table.count.load(std::memory_order_relaxed);
  for (int i = 0; i < count; ++i) {
    if (table.names[i] == name) return DeviceType(static_cast<uint8_t>(i));
  }
  if (count == kMaxTypes) return DeviceType();
  table.names[count] = std::string(name);
  table.count.store(count + 1, std::memory_order_release);
  return DeviceType(static_cast<uint8_t>(count));
}

absl::string_view DeviceType::name() const { return Table().names[index_]; }

absl::StatusOr<DeviceId> DeviceId::Parse(absl::string_view text) {
  const size_t colon = text.find(':');
  const absl::string_view type = text.substr(0, colon);
  int32_t ordinal = 0;
  bool valid = !type.empty() && type.size() <= 32;
  for (char c : type) valid = valid && (absl::ascii_isalnum(c) || c == '_' || c == '-');
  if (colon != absl::string_view::npos) {
    const absl::string_view digits = text.substr(colon + 1);
    valid = valid && !digits.empty() && absl::ascii_isdigit(digits[0]) &&
            absl::SimpleAtoi(digits, &ordinal);
  }
  if (!valid) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text.substr(0, 64), "' is not a device; write 'cpu' or 'cpu:0'"));
  }
  return DeviceId{DeviceType::Intern(type), ordinal};
}

std::string DeviceId::ToString() const { return absl::StrCat(type.name(), ":", ordinal); }

}  // namespace tandem
