// Window: a height and a width, or one number for both.
//
//   nn::Conv2D(6, 5);                          // a 5 by 5 kernel
//   nn::Conv2D(6, {5, 3}, {.padding = {2, 1}});
#ifndef TANDEM_FRONTENDS_CPP_NN_WINDOW_H_
#define TANDEM_FRONTENDS_CPP_NN_WINDOW_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tandem::nn {

class Window {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  Window(int64_t both) : values_({both, both}) {}
  Window(int both) : Window(int64_t{both}) {}
  // Two numbers; for a padding, also four: top, left, bottom, right.
  Window(std::initializer_list<int64_t> values) : values_(values) {}
  // NOLINTEND(google-explicit-constructor)

  const std::vector<int64_t>& values() const { return values_; }
  std::string ToString() const { return absl::StrCat("[", absl::StrJoin(values_, ","), "]"); }

 private:
  std::vector<int64_t> values_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_WINDOW_H_
