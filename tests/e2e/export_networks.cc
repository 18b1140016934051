// usage: export_networks <folder>
// Writes the networks whose training needs no random numbers, and what a training step of each gives,
// eager and compiled: the first half of import_test.sh.

#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tandem/tests/e2e/networks.h"
#include "tandem/tests/e2e/observed_file.h"

namespace tandem {
namespace {

void Write(const Network& network, const std::string& folder) {
  const auto net = Ready(network);
  net->Export(absl::StrCat(folder, "/", network.name));
  for (const int64_t size : {1, 7, 16}) {  // it was exported at 2
    const Batch batch = MakeBatch(network, size);
    for (const bool hybridized : {false, true}) {
      net->Hybridize(hybridized);
      WriteObserved(absl::StrCat(folder, "/", network.name, "-", size,
                                 hybridized ? "-hybridized" : "-eager", ".observed"),
                    batch, Step(*net, batch, /*training=*/true));
    }
  }
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: export_networks <folder>\n";
    return 2;
  }
  try {
    for (const tandem::Network& network : tandem::Networks()) {
      if (!network.draws) tandem::Write(network, argv[1]);
    }
  } catch (const std::exception& e) {
    std::cerr << "export_networks: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
