// The passes that every compiled graph goes through.
//
//   PassContext context;
//   context.evaluator = …;
//   context.fuses = …;
//   TANDEM_ASSIGN_OR_RETURN(Graph optimized, DefaultPipeline().Run(graph, context));
//
// All of them are exact, so strict numerics keep their bits. They are for forward and backward
// graphs after differentiation.
#ifndef TANDEM_GRAPH_PASSES_DEFAULT_PIPELINE_H_
#define TANDEM_GRAPH_PASSES_DEFAULT_PIPELINE_H_

#include "tandem/graph/passes/pipeline.h"

namespace tandem {

// identity_elimination, constant_fold, cse, dead_code, fuse_elementwise, fuse_epilogue.
PassPipeline DefaultPipeline();

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_DEFAULT_PIPELINE_H_
