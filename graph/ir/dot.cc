#include "tandem/graph/ir/dot.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tandem/core/op/op_body.h"

namespace tandem {
namespace {

// Light fills on which black text is readable; a family always has the same one.
constexpr absl::string_view kFamilyColors[] = {"#cfe2f3", "#d9ead3", "#fff2cc", "#f4cccc",
                                               "#d9d2e9", "#fce5cd", "#d0e0e3", "#ead1dc"};

absl::string_view FamilyColor(absl::string_view family) {
  uint32_t hash = 2166136261u;  // FNV-1a: the same on every machine, unlike absl::Hash
  for (const unsigned char c : family) hash = (hash ^ c) * 16777619u;
  return kFamilyColors[hash % std::size(kFamilyColors)];
}

// A DOT string: quotes and backslashes escaped, line ends as \n, other control characters left out.
std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// The nodes of one block, and the blocks in it.
struct Block {
  std::map<std::string, int> children;  // by name; indices, since paths may be deep
  std::vector<int> nodes;
};

class Drawing {
 public:
  Drawing(const Graph& graph, const DotOptions& options) : graph_(graph), options_(options) {}

  std::string Draw() {
    Line("digraph ", Quoted(graph_.name()), " {");
    Line("  rankdir=TB;");
    Line("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];");
    Line("  edge [fontname=\"Helvetica\", fontsize=9, color=\"#555555\"];");
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      const GraphInput& input = graph_.inputs()[i];
      Line("  in", i, " [shape=ellipse, fillcolor=",
           input.kind == InputKind::kArgument ? "\"#ffffff\"" : "\"#eeeeee\"",
           ", label=", Quoted(absl::StrCat(input.name, "\n", InputKindName(input.kind))), "];");
    }
    for (size_t i = 0; i < graph_.constants().size(); ++i) {
      Line("  c", i, " [shape=note, fillcolor=\"#eeeeee\", label=",
           Quoted(absl::StrCat("constant\n", graph_.spec(graph_.constants()[i].value).ToString())),
           "];");
    }
    Nodes();
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Line("  out", i, " [shape=ellipse, penwidth=2, fillcolor=\"#ffffff\", label=",
           Quoted(graph_.outputs()[i].name), "];");
    }
    Edges();
    Line("}");
    return std::move(text_);
  }

 private:
  template <typename... Pieces>
  void Line(const Pieces&... pieces) {
    absl::StrAppend(&text_, pieces..., "\n");
  }

  void Nodes() {
    std::vector<Block> blocks(1);
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      int block = 0;
      if (options_.blocks && !graph_.nodes()[i].block.empty()) {
        for (absl::string_view name : absl::StrSplit(graph_.nodes()[i].block, '/')) {
          const auto [it, is_new] =
              blocks[block].children.emplace(name, static_cast<int>(blocks.size()));
          block = it->second;
          if (is_new) blocks.emplace_back();
        }
      }
      blocks[block].nodes.push_back(static_cast<int>(i));
    }
    // With a stack of our own: a path may be of any depth.
    struct Open {
      int block;
      std::map<std::string, int>::const_iterator next;
    };
    std::vector<Open> stack = {{0, blocks[0].children.begin()}};
    for (const int node : blocks[0].nodes) DrawNode(node);
    while (!stack.empty()) {
      Open& top = stack.back();
      if (top.next == blocks[top.block].children.end()) {
        if (stack.size() > 1) Line("  }");
        stack.pop_back();
        continue;
      }
      const auto& [name, child] = *top.next++;
      Line("  subgraph cluster_", child, " {");
      Line("  label=", Quoted(name), "; color=\"#999999\"; fontname=\"Helvetica\";");
      for (const int node : blocks[child].nodes) DrawNode(node);
      stack.push_back({child, blocks[child].children.begin()});
    }
  }

  void DrawNode(int index) {
    const Node& node = graph_.nodes()[index];
    std::string label = node.op->name;
    if (const OpBody* body = BodyOf(*node.op, node.attrs)) {
      for (const OpBody::Step& step : body->steps()) absl::StrAppend(&label, "\n", step.op->name);
    } else if (node.op->control) {
      for (const AttributeDef& def : node.attrs.schema().defs()) {
        const OpBody* const held = BodyAttribute(node.attrs, def.name);
        if (held == nullptr) continue;
        const auto name = [](std::string* out, const OpBody::Step& step) { *out += step.op->name; };
        absl::StrAppend(&label, "\n", def.name, ": ", absl::StrJoin(held->steps(), ", ", name));
      }
    } else if (options_.attributes) {
      const std::string attrs = node.attrs.ToString();
      if (!attrs.empty()) absl::StrAppend(&label, "\n", attrs);
    }
    Line("  n", index, " [fillcolor=\"", FamilyColor(node.op->family), "\", label=", Quoted(label),
         ", tooltip=", Quoted(node.location), "];");
  }

  std::string Origin(ValueId value) const {
    if (const int32_t input = graph_.InputIndex(value); input >= 0) {
      return absl::StrCat("in", input);
    }
    if (const int32_t constant = graph_.ConstantIndex(value); constant >= 0) {
      return absl::StrCat("c", constant);
    }
    return absl::StrCat("n", graph_.values()[value].node);
  }

  void Edge(ValueId value, absl::string_view to, absl::string_view style = "") {
    const std::string label = options_.types
                                  ? absl::StrCat(" [label=", Quoted(graph_.spec(value).ToString()),
                                                 style.empty() ? "" : ", ", style, "]")
                                  : (style.empty() ? "" : absl::StrCat(" [", style, "]"));
    Line("  ", Origin(value), " -> ", to, label, ";");
  }

  void Edges() {
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      for (const ValueId input : graph_.nodes()[i].inputs) Edge(input, absl::StrCat("n", i));
    }
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Edge(graph_.outputs()[i].value, absl::StrCat("out", i));
    }
    for (const StateUpdate& update : graph_.updates()) {
      Edge(update.value, absl::StrCat("in", update.input), "style=dashed, constraint=false");
    }
  }

  const Graph& graph_;
  const DotOptions& options_;
  std::string text_;
};

}  // namespace

std::string GraphToDot(const Graph& graph, const DotOptions& options) {
  return Drawing(graph, options).Draw();
}

}  // namespace tandem
