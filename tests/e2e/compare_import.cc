// usage: compare_import <folder> <network>...
// Imports what export_networks wrote, and takes the same training steps: output, gradient of the
// input and of every parameter must have the same bits. This program has none of the networks'
// classes: the second half of import_test.sh.

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tandem/tests/e2e/observed_file.h"

namespace tandem {
namespace {

int compared = 0;   // tensors
int different = 0;  // of them

void Compare(bool same, const std::string& what) {
  ++compared;
  if (same) return;
  ++different;
  std::cerr << what << " differs\n";
}

void Compare(const Values& expected, const Values& actual, const std::string& what) {
  Compare(expected.size() == actual.size(), absl::StrCat(what, "the number"));
  for (const auto& [name, values] : expected) {
    const auto found = actual.find(name);
    Compare(found != actual.end() && SameBits(found->second, values), absl::StrCat(what, name));
  }
}

void CompareNetwork(const std::string& folder, const std::string& network) {
  const std::string prefix = absl::StrCat(folder, "/", network);
  const auto imported =
      SymbolBlock::Imports(prefix + "-symbol.json", {"data"}, prefix + "-0000.params");
  for (const int size : {1, 7, 16}) {
    for (const char* original : {"eager", "hybridized"}) {
      const auto [batch, expected] =
          ReadObserved(absl::StrCat(prefix, "-", size, "-", original, ".observed"));
      for (const char* mode : {"eager", "hybridized", "static"}) {
        const std::string m = mode;
        imported->Hybridize(
            {.active = m != "eager", .static_alloc = m == "static", .static_shape = m == "static"});
        const Observed actual = Step(*imported, batch, /*training=*/true);
        const std::string what = absl::StrCat(network, ", batch ", size, ", exported ", original,
                                              ", imported ", m, ": ");
        Compare(SameBits(expected.output, actual.output), what + "output");
        Compare(SameBits(expected.input_gradient, actual.input_gradient), what + "input gradient");
        Compare(expected.gradients, actual.gradients, what + "gradient of ");
        Compare(expected.parameters, actual.parameters, what + "value of ");
      }
    }
  }
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: compare_import <folder> <network>...\n";
    return 2;
  }
  try {
    for (int i = 2; i < argc; ++i) tandem::CompareNetwork(argv[1], argv[i]);
  } catch (const std::exception& e) {
    std::cerr << "compare_import: " << e.what() << "\n";
    return 2;
  }
  std::cout << tandem::compared << " tensors compared, " << tandem::different << " differ\n";
  return tandem::different == 0 ? 0 : 1;
}
