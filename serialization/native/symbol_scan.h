// A first look at a symbol file, before protobuf parses it: which version it has, and how much
// memory a parser would need.
//
// Why: protobuf turns a few bytes ("{}," in JSON, two bytes in binary) into an object of hundreds.
// A file made to do that would take gigabytes for megabytes. And a file of a newer version may have
// fields that the parser refuses; the reader should then speak of the version, not of the field.
//
//   TANDEM_ASSIGN_OR_RETURN(SymbolScan scan, ScanJson(bytes));
//
// Thread rules: pure functions.
#ifndef TANDEM_SERIALIZATION_NATIVE_SYMBOL_SCAN_H_
#define TANDEM_SERIALIZATION_NATIVE_SYMBOL_SCAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tandem {

struct SymbolScan {
  std::string format;
  std::string format_version;
  // Estimate of what the parsed message and the graph made of it take, bytes. Text is counted in
  // full.
  int64_t memory = 0;
};

// INVALID_ARGUMENT, with the position, if the bytes are not JSON (or deeper than the format can
// be), or not protobuf's wire format. No recursion that the bytes decide; no memory but for the
// texts returned.
absl::StatusOr<SymbolScan> ScanJson(absl::string_view bytes);
absl::StatusOr<SymbolScan> ScanBinary(absl::string_view bytes);

}  // namespace tandem

#endif  // TANDEM_SERIALIZATION_NATIVE_SYMBOL_SCAN_H_
