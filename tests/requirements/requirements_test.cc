// Every requirement that C++ can show is named by a test.
//
// Reads the sources themselves, all *_test.cc and *_test.sh of the repository and the cases below
// tests/: a comment "// R28" or "// R26 R71: why" ("# R28" in a script) says that what follows it
// proves those.

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr char kList[] = "tests/requirements/requirements.txt";

struct Requirement {
  int number = 0;
  std::string status;
  std::string text;
};

std::vector<Requirement> ReadList() {
  std::vector<Requirement> list;
  std::ifstream file(kList);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(" | ", 2));
    Requirement r;
    EXPECT_TRUE(fields.size() == 3 && absl::StartsWith(fields[0], "R") &&
                absl::SimpleAtoi(fields[0].substr(1), &r.number))
        << line;
    if (fields.size() != 3) continue;
    r.status = fields[1];
    r.text = fields[2];
    list.push_back(std::move(r));
  }
  return list;
}

// The repository: where the list, which is linked into the test's folder, really lies.
fs::path Root() { return fs::canonical(kList).parent_path().parent_path().parent_path(); }

// The numbers that a line's comment names.
std::vector<int> Named(const std::string& line, const std::string& marker = "//") {
  std::vector<int> numbers;
  const size_t comment = line.find(marker);
  if (comment == std::string::npos) return numbers;
  for (size_t i = comment + marker.size(); i < line.size(); ++i) {
    if (line[i] != 'R' || std::isalnum(static_cast<unsigned char>(line[i - 1]))) continue;
    size_t end = i + 1;
    while (end < line.size() && std::isdigit(static_cast<unsigned char>(line[end]))) ++end;
    const bool word = end == line.size() || !std::isalnum(static_cast<unsigned char>(line[end]));
    if (end > i + 1 && word) numbers.push_back(std::atoi(line.substr(i + 1, end - i - 1).c_str()));
  }
  return numbers;
}

bool IsTest(const fs::path& file, const fs::path& root) {
  if (file.extension() == ".sh") return absl::EndsWith(file.stem().string(), "_test");
  if (file.extension() != ".cc") return false;
  return absl::EndsWith(file.stem().string(), "_test") ||
         absl::StartsWith(fs::relative(file, root).string(), "tests/");
}

// The files that name each number.
std::map<int, std::set<std::string>> FindNamed(const fs::path& root) {
  std::map<int, std::set<std::string>> named;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::end(it); ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() && (absl::StartsWith(name, ".") || absl::StartsWith(name, "bazel-"))) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file() || !IsTest(it->path(), root)) continue;
    if (name == "requirements_test.cc") continue;
    const std::string marker = it->path().extension() == ".sh" ? "#" : "//";
    std::ifstream file(it->path());
    for (std::string line; std::getline(file, line);) {
      for (int number : Named(line, marker))
        named[number].insert(fs::relative(it->path(), root).string());
    }
  }
  return named;
}

TEST(RequirementsTest, TheListIsInOrder) {
  const std::vector<Requirement> list = ReadList();
  ASSERT_GT(list.size(), 40u);
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_TRUE(list[i].status == "cpp" || absl::StartsWith(list[i].status, "later: "))
        << "R" << list[i].number << ": " << list[i].status;
    EXPECT_FALSE(list[i].text.empty()) << "R" << list[i].number;
    if (i == 0) continue;
    // A second line of one number is for the part that is not here.
    if (list[i - 1].number == list[i].number) {
      EXPECT_TRUE(absl::StartsWith(list[i].status, "later: ")) << "R" << list[i].number;
    } else {
      EXPECT_LT(list[i - 1].number, list[i].number);
    }
  }
}

TEST(RequirementsTest, CommentsAreRead) {
  EXPECT_EQ(Named("// R28"), std::vector<int>{28});
  EXPECT_EQ(Named("  x();  // R26 R71: why, R5."), (std::vector<int>{26, 71, 5}));
  EXPECT_EQ(Named("# R28", "#"), std::vector<int>{28});
  EXPECT_EQ(Named("R28; // AR5 R R5x RNG"), std::vector<int>{});
}

TEST(RequirementsTest, EveryOneThatCppCanShowIsNamedByATest) {
  const auto named = FindNamed(Root());
  std::set<int> known;
  for (const Requirement& r : ReadList()) {
    known.insert(r.number);
    if (r.status != "cpp") continue;
    EXPECT_TRUE(named.count(r.number) == 1)
        << "no test names R" << r.number << ": " << r.text
        << "\n  mark the test that shows it with // R" << r.number;
  }
  for (const auto& [number, files] : named) {
    EXPECT_TRUE(known.count(number) == 1)
        << *files.begin() << " names R" << number << ", which is not in " << kList;
  }
}

}  // namespace
}  // namespace tandem
