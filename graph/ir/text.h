// The text form of a graph: stable, diffable, and a program that can be parsed and run (R3).
//
//   graph @mlp(%data: f32[1,512] argument, %weight: f32[2,512] parameter) -> (f32[1,2] "y") {
//     %2 = matmul(%data, %weight) {transpose_b=true} : f32[1,2] in "mlp0/dense0" at "mlp.cc:12"
//     %c0 = constant dense<[1.0, 2.0]> : f32[2]
//     %4 = add(%2, %c0) : f32[1,2]
//     update %running_mean = %7
//     return %4
//   }
//
// Grammar (// starts a comment; space and line ends only separate):
//   graph     = "graph" "@" name "(" [input {"," input}] ")" "->" "(" [output {"," output}] ")"
//               ["random_blocks" "=" int] "{" {statement} "return" [value {"," value}] "}"
//   input     = value ":" type kind
//   kind      = "argument" | "parameter" | "state" | "capture" | "random_state"
//   output    = type string
//   statement = value "=" "constant" "dense" "<" ("[" [number {"," number}] "]" | string) ">" ":" type
//             | call ["in" string] ["at" string]
//             | "update" value "=" value
//   call      = value {"," value} "=" op "(" [value {"," value}] ")" ["{" attr {"," attr} "}"]
//               ":" type {"," type}
//   attr      = name "=" (bool | int | double | string | dtype | "[" numbers "]" | "ints[]" |
//               "doubles[]" | body)
//   body      = "(" [value ":" type {"," value ":" type}] ")"
//               "{" {call ";"} "return" value {"," value} "}"
//   value     = "%" name
//   name      = letters, digits, '_', '.', '/'; or a string
// Elements of a constant are row-major. Attributes with their default are left out. A constant of
// more than 64 elements is printed as the name of a tensor that goes beside the text. A body
// (core/op/op_body.h) sees none of the graph's values; it is printed with numbers for names:
//
//   %4 = fused(%2, %bias) {body=(%0: f32[1,2], %1: f32[2]) { %2 = add(%0, %1) : f32[1,2];
//        %3 = relu(%2) : f32[1,2]; return %3 }} : f32[1,2]
//
// The parser takes any bytes. It recurses into bodies only, which are nested at most OpBody::kMaxDepth
// deep, and what it allocates is proportional to the text (at most 32 bytes for each, for a program of
// the shortest nodes): no number in the text makes it allocate, and a constant holds as many elements
// as are written.
#ifndef TANDEM_GRAPH_IR_TEXT_H_
#define TANDEM_GRAPH_IR_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/core/device/device.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

struct TextOptions {
  // Print block path and line of each node.
  bool origins = true;
  // Constants with more elements stand beside the text.
  int64_t max_inline_elements = 64;
};

// Tensors that stand beside a text, by the name that it gives them: {"c0", …}.
using NamedTensors = absl::flat_hash_map<std::string, Tensor>;

struct GraphText {
  std::string text;
  NamedTensors constants;
};

// Prints a graph. Equal graphs give equal text, and ParseGraph gives an equal graph. Reads small
// constants from their device; one that cannot be read is named like a large one.
GraphText PrintGraphAndConstants(const Graph& graph, const TextOptions& options = {});
// The text alone: for people, and for graphs without large constants.
std::string PrintGraph(const Graph& graph, const TextOptions& options = {});

// Parses a graph. `device` is where constants in the text are put; null: none are accepted.
// `constants` are the tensors beside the text.
//
// RESOURCE_EXHAUSTED for a graph that would take more than 4 times the text and 64 MB in memory.
// INVALID_ARGUMENT (or what inference or a look-up says) with "line:column: " in front: for a
// mistake in the grammar, an unknown op, a value that is not defined (yet), a type that is not the
// inferred one (both are in the message), a name that is given twice.
absl::StatusOr<Graph> ParseGraph(absl::string_view text, const OpRegistry& registry,
                                 Device* device = nullptr, const NamedTensors& constants = {});

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_TEXT_H_
