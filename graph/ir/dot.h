// Draws a graph, as text in Graphviz' DOT language (R7).
//
// Nodes stand in nested boxes, one for each block of the model, coloured by the family of their op;
// edges carry the tensors' types. State updates are dashed edges to the inputs that they replace.
//
//   WriteFile("lenet.dot", GraphToDot(graph));   // dot -Tsvg lenet.dot > lenet.svg
//
// Drawing a graph before and after the passes shows what they did.
// Thread rules: pure function.
#ifndef TANDEM_GRAPH_IR_DOT_H_
#define TANDEM_GRAPH_IR_DOT_H_

#include <string>

#include "tandem/graph/ir/graph.h"

namespace tandem {

struct DotOptions {
  bool types = true;       // label edges with f32[16,10]
  bool attributes = true;  // show attributes below an op's name
  bool blocks = true;      // boxes for blocks
};

std::string GraphToDot(const Graph& graph, const DotOptions& options = {});

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_DOT_H_
