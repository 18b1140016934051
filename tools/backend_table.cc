#include "tandem/tools/backend_table.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tandem/core/device/device_id.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem {
namespace {

constexpr absl::string_view kKernel = "kernel";
constexpr absl::string_view kProgram = "elementwise program";
constexpr absl::string_view kView = "view";
constexpr absl::string_view kDecomposition = "decomposition";
constexpr absl::string_view kControl = "control flow";
constexpr absl::string_view kAnyOp = "records any op";
constexpr absl::string_view kNothing = "no";
constexpr absl::string_view kWays[] = {kKernel,  kProgram,       kView,   kAnyOp,
                                       kControl, kDecomposition, kNothing};

// "kernel", with its name where that is not the op's, and its dtypes where not every one will do.
std::string KernelCell(const OpDef& op, const std::vector<const KernelDef*>& own) {
  std::string cell(kKernel);
  std::vector<std::string> names;
  bool any_dtype = false;
  std::vector<bool> dtypes(kNumDTypes, false);
  for (const KernelDef* kernel : own) {
    names.push_back(absl::StrCat("`", kernel->name, "`"));
    any_dtype = any_dtype || kernel->dtypes.empty();
    for (DType dtype : kernel->dtypes) dtypes[static_cast<int>(dtype)] = true;
  }
  if (own.size() > 1 || own[0]->name != op.name) {
    absl::StrAppend(&cell, " ", absl::StrJoin(names, ", "));
  }
  if (any_dtype) return cell;
  std::vector<absl::string_view> of;
  for (int i = 0; i < kNumDTypes; ++i) {
    if (dtypes[i]) of.push_back(DTypeName(static_cast<DType>(i)));
  }
  return absl::StrCat(cell, " (", absl::StrJoin(of, " "), ")");
}

// As the interpreter goes about it: a view, a kernel, an expression, a decomposition.
std::string Cell(const OpDef& op, const KernelRegistry& kernels, DeviceType device) {
  if (op.view) return std::string(kView);
  if (op.control) return std::string(kControl);
  std::vector<const KernelDef*> own;
  bool any_op = false, programs = false;
  for (const KernelDef* kernel : kernels.KernelsOf(op.name, device)) {
    if (kernel->op == op.name) {
      own.push_back(kernel);
    } else if (kernel->supports == nullptr) {
      any_op = true;
    } else {
      programs = true;
    }
  }
  if (!own.empty()) return KernelCell(op, own);
  if (any_op) return std::string(kAnyOp);
  if (programs && op.scalar) return std::string(kProgram);
  return std::string(op.decompose ? kDecomposition : kNothing);
}

std::vector<std::string> CellsOf(absl::string_view line) {
  std::vector<std::string> cells;
  line = absl::StripAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "|") || !absl::ConsumeSuffix(&line, "|")) return cells;
  for (absl::string_view cell : absl::StrSplit(line, '|')) {
    cells.emplace_back(absl::StripAsciiWhitespace(cell));
  }
  return cells;
}

std::string Row(const std::vector<std::string>& cells) {
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n");
}

std::string Rule(size_t columns) {
  std::string rule = "|";
  for (size_t i = 0; i < columns; ++i) rule += "---|";
  return rule + "\n";
}

// How many ops of a backend each way serves.
std::string Counts(const BackendTable& table) {
  std::vector<std::string> header = {"backend"};
  for (absl::string_view way : kWays) header.emplace_back(way);
  std::string text = absl::StrCat(Row(header), Rule(header.size()));
  for (const auto& [backend, column] : table.cells) {
    std::vector<std::string> row = {backend};
    for (absl::string_view way : kWays) {
      int count = 0;
      for (const auto& [op, cell] : column) count += absl::StartsWith(cell, way) ? 1 : 0;
      row.push_back(absl::StrCat(count));
    }
    absl::StrAppend(&text, Row(row));
  }
  return text;
}

}  // namespace

BackendTable MakeBackendTable(const std::vector<const OpDef*>& ops, const KernelRegistry& kernels,
                              const std::vector<std::string>& backends) {
  BackendTable table;
  for (const OpDef* op : ops) table.ops.push_back(op->name);
  for (const std::string& backend : backends) {
    const DeviceType device = DeviceType::Intern(backend);
    for (const OpDef* op : ops) table.cells[backend][op->name] = Cell(*op, kernels, device);
  }
  return table;
}

BackendTable ParseBackendTable(absl::string_view page) {
  BackendTable table;
  std::vector<std::string> backends;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    const std::vector<std::string> cells = CellsOf(line);
    if (cells.empty() || absl::StartsWith(cells[0], "---")) continue;
    if (cells[0] == "op") {
      backends.assign(cells.begin() + 1, cells.end());
      continue;
    }
    if (backends.empty() || cells.size() != backends.size() + 1) continue;
    const std::string op(absl::StripPrefix(absl::StripSuffix(cells[0], "`"), "`"));
    table.ops.push_back(op);
    for (size_t i = 0; i < backends.size(); ++i) table.cells[backends[i]][op] = cells[i + 1];
  }
  return table;
}

BackendTable MergeBackendTables(BackendTable made, const BackendTable& page) {
  for (const auto& [backend, column] : page.cells) {
    if (made.cells.count(backend) != 0) continue;
    for (const std::string& op : made.ops) {
      const auto cell = column.find(op);
      made.cells[backend][op] = cell == column.end() ? std::string(kUnknownCell) : cell->second;
    }
  }
  return made;
}

std::string BackendPage(const BackendTable& table) {
  std::string page = R"(# How each backend runs each op

Generated from the registries of ops and kernels: do not edit, run
`./bazelw run //tools:update_backend_table`.

* **kernel**: the backend has a kernel of its own for the op; its name is given where it is not the
  op's, and its dtypes where not every one will do.
* **elementwise program**: the op's scalar expression runs as a program that the backend makes of it.
* **view**: nothing runs, the result is another look at the same memory.
* **control flow**: the host decides which of the op's bodies run; their ops run as they do elsewhere.
* **decomposition**: the op runs as other ops.
* **records any op**: the backend checks how memory is used, and computes nothing.

)";
  absl::StrAppend(&page, Counts(table), "\n");
  std::vector<std::string> header = {"op"};
  for (const auto& [backend, column] : table.cells) header.push_back(backend);
  absl::StrAppend(&page, Row(header), Rule(header.size()));
  for (const std::string& op : table.ops) {
    std::vector<std::string> row = {absl::StrCat("`", op, "`")};
    for (const auto& [backend, column] : table.cells) row.push_back(column.at(op));
    absl::StrAppend(&page, Row(row));
  }
  return page;
}

}  // namespace tandem
