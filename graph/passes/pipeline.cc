#include "tandem/graph/passes/pipeline.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/ir/verifier.h"

namespace tandem {
namespace {

// The first thing of the interface that differs; OK if none does.
absl::Status CheckInterface(const Graph& before, const Graph& after) {
  const auto changed = [](absl::string_view what) {
    return absl::InternalError(absl::StrCat("it changed the graph's ", what));
  };
  const auto same_input = [&](const GraphInput& a, const GraphInput& b) {
    return a.name == b.name && a.kind == b.kind && before.spec(a.value) == after.spec(b.value);
  };
  const auto same_output = [&](const GraphOutput& a, const GraphOutput& b) {
    return a.name == b.name && before.spec(a.value) == after.spec(b.value);
  };
  const auto same_update = [](const StateUpdate& a, const StateUpdate& b) {
    return a.input == b.input;
  };
  const auto equal = [](const auto& a, const auto& b, auto same) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
  };
  if (!equal(before.inputs(), after.inputs(), same_input)) return changed("inputs");
  if (!equal(before.outputs(), after.outputs(), same_output)) return changed("outputs");
  if (!equal(before.updates(), after.updates(), same_update)) return changed("state updates");
  if (before.random_blocks() != after.random_blocks()) return changed("random blocks");
  return absl::OkStatus();
}

}  // namespace

PassPipeline& PassPipeline::Add(std::shared_ptr<const Pass> pass) {
  passes_.push_back(std::move(pass));
  return *this;
}

bool PassPipeline::InsertBefore(absl::string_view name, std::shared_ptr<const Pass> pass) {
  const auto it = std::find_if(passes_.begin(), passes_.end(),
                               [&](const auto& other) { return other->name() == name; });
  if (it == passes_.end()) return false;
  passes_.insert(it, std::move(pass));
  return true;
}

int PassPipeline::Remove(absl::string_view name) {
  return static_cast<int>(
      std::erase_if(passes_, [&](const auto& pass) { return pass->name() == name; }));
}

std::string PassPipeline::ToString() const {
  std::string text;
  for (const auto& pass : passes_) {
    absl::StrAppend(&text, pass->name(), ": ", pass->description(), "\n");
  }
  return text;
}

absl::StatusOr<Graph> PassPipeline::Run(const Graph& graph, PassContext& context) const {
  Graph current = graph;
  for (const auto& pass : passes_) {
    context.changes_.clear();
    context.changes_left_out_ = 0;
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<Graph> result = pass->Run(current, context);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    const std::string prefix = absl::StrCat("pass ", pass->name());
    if (!result.ok()) return Annotate(result.status(), prefix);
    TANDEM_RETURN_IF_ERROR(Annotate(CheckInterface(current, *result), prefix));
    if (context.verify) {
      if (absl::Status status = VerifyGraph(*result); !status.ok()) {
        return absl::InternalError(absl::StrCat(prefix,
                                                " made an invalid graph: ", status.message(),
                                                "\nIt got:\n", PrintGraph(current)));
      }
    }
    PassRecord record;
    record.pass = std::string(pass->name());
    record.nodes_before = static_cast<int64_t>(current.nodes().size());
    record.nodes_after = static_cast<int64_t>(result->nodes().size());
    record.changes = std::move(context.changes_);
    if (context.changes_left_out_ > 0) {
      record.changes.push_back(absl::StrCat("… and ", context.changes_left_out_, " more"));
    }
    record.milliseconds = time.count();
    context.changes_.clear();
    context.records_.push_back(std::move(record));
    current = *std::move(result);
  }
  return current;
}

}  // namespace tandem
