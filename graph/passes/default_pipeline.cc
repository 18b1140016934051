#include "tandem/graph/passes/default_pipeline.h"

#include <memory>

#include "tandem/graph/passes/constant_fold.h"
#include "tandem/graph/passes/cse.h"
#include "tandem/graph/passes/dead_code.h"
#include "tandem/graph/passes/fuse_elementwise.h"
#include "tandem/graph/passes/fuse_epilogue.h"
#include "tandem/graph/passes/identity_elimination.h"

namespace tandem {

PassPipeline DefaultPipeline() {
  PassPipeline pipeline;
  // Identities would hide that two expressions are equal; folding makes equal constants of what
  // depended on creation ops; dead_code removes what the others left without users, which would keep
  // results from being fused.
  pipeline.Add(std::make_shared<IdentityElimination>())
      .Add(std::make_shared<ConstantFold>())
      .Add(std::make_shared<CommonSubexpressions>())
      .Add(std::make_shared<DeadCode>())
      .Add(std::make_shared<FuseElementwise>())
      .Add(std::make_shared<FuseEpilogue>());
  return pipeline;
}

}  // namespace tandem
