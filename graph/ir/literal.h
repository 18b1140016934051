// Numbers of a constant as text, and back, to the bit.
//
// Floating-point numbers are the shortest decimal that gives the same bits, always with a '.', 'e',
// or as "inf", "-inf", "nan"; a NaN with other bits than the usual one is "nan(0x7fc00001)".
//
//   std::string text;
//   AppendLiteral(DType::kF32, bytes, &text);              // "0.1"
//   TANDEM_RETURN_IF_ERROR(ParseLiteral("0.1", DType::kF32, &bytes));
//
// Thread rules: pure functions.
#ifndef TANDEM_GRAPH_IR_LITERAL_H_
#define TANDEM_GRAPH_IR_LITERAL_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem {

// `bytes`: one element, DTypeSize(dtype) of them.
void AppendLiteral(DType dtype, const std::byte* bytes, std::string* text);

// Appends the element's bytes. An integer is accepted for a floating-point number. INVALID_ARGUMENT
// for what is no number of that dtype, or leaves its range.
absl::Status ParseLiteral(absl::string_view text, DType dtype, std::vector<std::byte>* bytes);

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_LITERAL_H_
