#include "tandem/graph/ir/literal.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tandem {
namespace {

// What a dtype is printed as, and the unsigned integer with its bits.
template <typename T>
struct FloatTraits {
  using Decimal = std::conditional_t<std::is_same_v<T, double>, double, float>;
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
};

template <typename T>
constexpr bool kIsFloat =
    std::is_floating_point_v<T> || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

template <typename T>
typename FloatTraits<T>::Bits UsualNan() {
  using Decimal = typename FloatTraits<T>::Decimal;
  return std::bit_cast<typename FloatTraits<T>::Bits>(T(std::numeric_limits<Decimal>::quiet_NaN()));
}

template <typename T>
void AppendFloat(T value, std::string* text) {
  const auto decimal = static_cast<typename FloatTraits<T>::Decimal>(value);
  if (std::isnan(decimal)) {
    const auto bits = std::bit_cast<typename FloatTraits<T>::Bits>(value);
    if (bits == UsualNan<T>()) {
      *text += "nan";
    } else {
      absl::StrAppendFormat(text, "nan(0x%x)", static_cast<uint64_t>(bits));
    }
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), decimal);
  const absl::string_view digits(buffer, end - buffer);
  absl::StrAppend(text, digits);
  if (digits.find_first_of(".en") == absl::string_view::npos) *text += ".0";
}

absl::Status BadLiteral(absl::string_view text, DType dtype) {
  return absl::InvalidArgumentError(absl::StrCat("'", absl::Utf8SafeCEscape(text.substr(0, 64)),
                                                 "' is not a number of type ", DTypeName(dtype)));
}

template <typename T>
bool ParseNumber(absl::string_view text, T* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end;
}

template <typename T>
bool ParseNanBits(absl::string_view text, T* value) {
  constexpr absl::string_view kPrefix = "nan(0x";
  if (text.substr(0, kPrefix.size()) != kPrefix || text.back() != ')') return false;
  text = text.substr(kPrefix.size(), text.size() - kPrefix.size() - 1);
  typename FloatTraits<T>::Bits bits = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, bits, 16);
  if (error != std::errc() || stop != end) return false;
  *value = std::bit_cast<T>(bits);
  return std::isnan(static_cast<typename FloatTraits<T>::Decimal>(*value));
}

template <typename T>
bool ParseValue(absl::string_view text, T* value) {
  if constexpr (std::is_same_v<T, bool>) {
    *value = text == "true";
    return *value || text == "false";
  } else if constexpr (kIsFloat<T>) {
    if (text == "nan") {
      *value = std::bit_cast<T>(UsualNan<T>());
      return true;
    }
    // from_chars knows other spellings of these two, which have no place here.
    const bool infinite = text == "inf" || text == "-inf";
    if (!infinite && text.find_first_of("in") != absl::string_view::npos) {
      return ParseNanBits(text, value);
    }
    typename FloatTraits<T>::Decimal decimal;
    if (!ParseNumber(text, &decimal)) return false;
    *value = T(decimal);
    // A decimal that is finite must not become infinite in f16 or bf16.
    return infinite || std::isfinite(static_cast<typename FloatTraits<T>::Decimal>(*value));
  } else {
    return ParseNumber(text, value);
  }
}

}  // namespace

void AppendLiteral(DType dtype, const std::byte* bytes, std::string* text) {
  DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool>) {
      *text += bytes[0] != std::byte{0} ? "true" : "false";
    } else {
      T value;
      std::memcpy(&value, bytes, sizeof(value));
      if constexpr (kIsFloat<T>) {
        AppendFloat(value, text);
      } else {
        absl::StrAppend(text, static_cast<int64_t>(value));
      }
    }
  });
}

absl::Status ParseLiteral(absl::string_view text, DType dtype, std::vector<std::byte>* bytes) {
  return DispatchDType(dtype, [&](auto zero) -> absl::Status {
    using T = decltype(zero);
    T value{};
    if (text.empty() || !ParseValue(text, &value)) return BadLiteral(text, dtype);
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes->insert(bytes->end(), raw, raw + sizeof(value));
    return absl::OkStatus();
  });
}

}  // namespace tandem
