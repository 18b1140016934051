// Explanation: why a function was traced, what the passes did, how it runs. As data, and as text.
//
//   Explanation e = function->Explain();
//   e.entries[0].reason;  // "first call"
//   std::cout << e.ToText();
//
// Thread rules: value types.
#ifndef TANDEM_GRAPH_COMPILE_EXPLAIN_H_
#define TANDEM_GRAPH_COMPILE_EXPLAIN_H_

#include <cstdint>
#include <string>
#include <vector>

namespace tandem {

// What one pass of the pipeline did to a graph.
struct PassEffect {
  std::string pass;
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  std::vector<std::string> changes;  // one line each
  double milliseconds = 0;
};

// One node as it is executed.
struct KernelChoice {
  std::string node;         // "%5 = matmul : f32[16,10]"
  std::string kernel;       // "matmul_f32"; "view" if no work is done; "copy" if one was inserted
  std::string description;  // the kernel's variant: "gemm avx512 6x64"
  std::string block;
  std::string location;
};

// One compiled graph.
struct ProgramExplanation {
  std::string role;  // "forward", "forward with residuals", "backward"
  int64_t traced_nodes = 0;
  int64_t optimized_nodes = 0;
  std::vector<PassEffect> passes;
  std::vector<KernelChoice> kernels;
  int64_t arena_bytes = 0;        // what intermediate values take
  int64_t lower_bound_bytes = 0;  // the largest set of them that live at once
  std::string memory_plan;        // a table
};

struct EntryExplanation {
  std::string key;     // "f32[16,10] cpu:0, inference"
  std::string reason;  // "first call", "argument 0: new shape [32,10], was [16,10]", …
  std::vector<ProgramExplanation> programs;
};

struct Explanation {
  std::string function;
  std::vector<EntryExplanation> entries;  // in the order of tracing
  std::string ToText() const;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_EXPLAIN_H_
