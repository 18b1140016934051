// Prints docs/backends.md, or checks it.
//
//   write_backend_table print docs/backends.md cpu null > new.md
//   write_backend_table check docs/backends.md cpu null
//
// The backends are those of this build; columns of others are taken from the page. No device is
// opened.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/all.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/tools/backend_table.h"

namespace tandem {
namespace {

constexpr absl::string_view kUsage = "usage: write_backend_table print|check PAGE BACKEND...\n";

void PrintDifference(absl::string_view page, absl::string_view expected) {
  const std::vector<absl::string_view> found = absl::StrSplit(page, '\n');
  const std::vector<absl::string_view> wanted = absl::StrSplit(expected, '\n');
  for (size_t i = 0; i < std::max(found.size(), wanted.size()); ++i) {
    const absl::string_view is = i < found.size() ? found[i] : "";
    const absl::string_view should = i < wanted.size() ? wanted[i] : "";
    if (is == should) continue;
    std::cerr << "line " << i + 1 << " is\n  " << is << "\nand should be\n  " << should << "\n";
    return;
  }
}

int Main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << kUsage;
    return 2;
  }
  const absl::string_view mode = argv[1];
  std::ifstream file(argv[2], std::ios::binary);
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::vector<std::string> backends(argv + 3, argv + argc);

  OpRegistry ops;
  BackendRegistry backend_registry;
  KernelRegistry kernels;
  absl::Status status = RegisterStandardOps(&ops);
  if (status.ok()) status = RegisterAllBackends(&backend_registry, &kernels);
  if (!status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  const BackendTable on_page = ParseBackendTable(page);
  const BackendTable made = MakeBackendTable(ops.ops(), kernels, backends);
  const std::string expected = BackendPage(MergeBackendTables(made, on_page));
  if (mode == "print") {
    std::cout << expected;
    return std::cout.flush().good() ? 0 : 1;
  }
  if (mode != "check") {
    std::cerr << kUsage;
    return 2;
  }
  int not_compared = 0;
  for (const auto& [backend, column] : on_page.cells) {
    if (made.cells.count(backend) != 0) continue;
    ++not_compared;
    std::cout << "not compared: " << backend << ", which this build does not have\n";
  }
  std::cout << made.ops.size() << " ops, compared for " << absl::StrJoin(backends, ", ") << "; "
            << not_compared << " columns not compared\n";
  if (page == expected) return 0;
  PrintDifference(page, expected);
  std::cerr << "\ndocs/backends.md is out of date. Update it with:\n"
            << "  ./bazelw run //tools:update_backend_table\n";
  return 1;
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) { return tandem::Main(argc, argv); }
