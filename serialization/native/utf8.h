// Is this text UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)?
//
// Protobuf strings and JSON hold UTF-8 only; names that are not have to be refused before they are
// written, because what is written then cannot be read.
//
//   if (!IsValidUtf8(name)) return absl::InvalidArgumentError(...);
//
// Thread rules: a pure function.
#ifndef TANDEM_SERIALIZATION_NATIVE_UTF8_H_
#define TANDEM_SERIALIZATION_NATIVE_UTF8_H_

#include "absl/strings/string_view.h"

namespace tandem {

bool IsValidUtf8(absl::string_view text);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_UTF8_H_
