// How each backend runs each op, as the page docs/backends.md: by a kernel of its own, as a program
// of the op's scalar expression, as a view, or by the op's decomposition.
//
// The page is checked in and tested, also by builds that lack one of its backends (a machine without
// Vulkan): those keep the columns that they know nothing of.
//
//   BackendTable table = MakeBackendTable(OpRegistry::Global().ops(), kernels, {"cpu", "null"});
//   table = MergeBackendTables(table, ParseBackendTable(page));
//   bool up_to_date = BackendPage(table) == page;
//
// Thread rules: value types, pure functions.
#ifndef TANDEM_TOOLS_BACKEND_TABLE_H_
#define TANDEM_TOOLS_BACKEND_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

struct BackendTable {
  std::vector<std::string> ops;                                     // the rows, in order
  std::map<std::string, std::map<std::string, std::string>> cells;  // backend -> op -> text
};

// What the registries say; no device is opened. A backend's name is that of its device type.
BackendTable MakeBackendTable(const std::vector<const OpDef*>& ops, const KernelRegistry& kernels,
                              const std::vector<std::string>& backends);

// The table of a page; empty if there is none.
BackendTable ParseBackendTable(absl::string_view page);

// `made`, and the columns of `page` that it does not have. For an op that the page does not know
// such a column says kUnknownCell.
BackendTable MergeBackendTables(BackendTable made, const BackendTable& page);
inline constexpr absl::string_view kUnknownCell = "not generated yet";

// The page, with counts and an explanation.
std::string BackendPage(const BackendTable& table);

}  // namespace tandem

#endif  // TANDEM_TOOLS_BACKEND_TABLE_H_
