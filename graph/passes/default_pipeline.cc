#include "tandem/graph/passes/default_pipeline.h"

#include <memory>
#include <utility>

#include "tandem/graph/passes/constant_fold.h"
#include "tandem/graph/passes/control_flow.h"
#include "tandem/graph/passes/cse.h"
#include "tandem/graph/passes/dead_code.h"
#include "tandem/graph/passes/fuse_elementwise.h"
#include "tandem/graph/passes/fuse_epilogue.h"
#include "tandem/graph/passes/identity_elimination.h"

namespace tandem {
namespace {

// Identities would hide that two expressions are equal; folding makes equal constants of what
// depended on creation ops, and tells predicates.
void AddFirst(PassPipeline* pipeline) {
  pipeline->Add(std::make_shared<IdentityElimination>()).Add(std::make_shared<ConstantFold>());
}

// dead_code removes what the others left without users, which would keep results from being fused.
void AddLast(PassPipeline* pipeline) {
  pipeline->Add(std::make_shared<CommonSubexpressions>())
      .Add(std::make_shared<DeadCode>())
      .Add(std::make_shared<FuseElementwise>())
      .Add(std::make_shared<FuseEpilogue>());
}

}  // namespace

PassPipeline DefaultPipeline() {
  PassPipeline first;
  AddFirst(&first);
  PassPipeline last;
  AddLast(&last);
  PassPipeline pipeline;
  AddFirst(&pipeline);
  // In the middle: bodies give nodes and constants to what is around them, and go through the same
  // passes in the same order.
  pipeline.Add(std::make_shared<SimplifyControlFlow>(std::move(first), std::move(last)));
  AddLast(&pipeline);
  return pipeline;
}

}  // namespace tandem
