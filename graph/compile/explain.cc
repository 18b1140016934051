#include "tandem/graph/compile/explain.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace tandem {
namespace {

void AppendProgram(std::string* text, const ProgramExplanation& program) {
  absl::StrAppendFormat(text, "  %s: %d nodes traced, %d after the passes\n", program.role,
                        program.traced_nodes, program.optimized_nodes);
  for (const PassEffect& pass : program.passes) {
    absl::StrAppendFormat(text, "    pass %-20s %4d -> %4d nodes  %.3f ms\n", pass.pass,
                          pass.nodes_before, pass.nodes_after, pass.milliseconds);
    for (const std::string& change : pass.changes) absl::StrAppend(text, "      ", change, "\n");
  }
  for (const KernelChoice& choice : program.kernels) {
    absl::StrAppendFormat(text, "    %-40s %s", choice.node, choice.kernel);
    if (!choice.description.empty()) absl::StrAppend(text, ": ", choice.description);
    if (!choice.block.empty()) absl::StrAppend(text, "  in ", choice.block);
    if (!choice.location.empty()) absl::StrAppend(text, "  at ", choice.location);
    *text += "\n";
  }
  absl::StrAppend(
      text, "    memory: ", absl::StrReplaceAll(program.memory_plan, {{"\n", "\n    "}}), "\n");
}

}  // namespace

std::string Explanation::ToText() const {
  std::string text = absl::StrCat("'", function, "': ", entries.size(), " traces\n");
  for (size_t i = 0; i < entries.size(); ++i) {
    const EntryExplanation& entry = entries[i];
    absl::StrAppend(&text, "trace ", i, ": ", entry.key, "\n  because: ", entry.reason, "\n");
    for (const ProgramExplanation& program : entry.programs) AppendProgram(&text, program);
  }
  return text;
}

}  // namespace tandem
