// Reads the words of a graph's text; the parser (text.h) is written with it.
//
//   TextLexer lexer(text);
//   TANDEM_RETURN_IF_ERROR(lexer.Expect("graph"));
//   TANDEM_ASSIGN_OR_RETURN(absl::string_view name, lexer.Word("an op"));
//
// Space, line ends and comments (// to the end of the line) are skipped before every token. Errors
// are INVALID_ARGUMENT "line:column: expected …, found …".
// Thread rules: a lexer belongs to one thread; the text must outlive it.
#ifndef TANDEM_GRAPH_IR_LEXER_H_
#define TANDEM_GRAPH_IR_LEXER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

class TextLexer {
 public:
  explicit TextLexer(absl::string_view text) : text_(text) {}

  // Where the next token begins; for ErrorAt.
  size_t position() {
    SkipSpace();
    return position_;
  }
  bool AtEnd() { return position() == text_.size(); }

  // Takes `token` if it is next: punctuation, or a whole word.
  bool Consume(absl::string_view token);
  absl::Status Expect(absl::string_view token);

  // Letters, digits and '_', not starting with a digit.
  absl::StatusOr<absl::string_view> Word(absl::string_view what);
  // A number, or true, false, inf, nan, nan(0x…): told apart by whoever wants it.
  absl::StatusOr<absl::string_view> Literal(absl::string_view what);
  // "…", unescaped.
  absl::StatusOr<std::string> String(absl::string_view what);
  // What follows '%' or '@'. A name that stands without quotes is given as it is, with
  // `quoted` false.
  struct Name {
    std::string text;
    bool quoted = false;
  };
  absl::StatusOr<Name> AnyName(absl::string_view what);
  // f32[2,3]
  absl::StatusOr<TensorSpec> Type();

  // `element {"," element} end`, or nothing and `end`. `element` reads one and gives a status.
  template <typename Element>
  absl::Status List(absl::string_view end, Element element) {
    if (Consume(end)) return absl::OkStatus();
    do {
      if (absl::Status status = element(); !status.ok()) return status;
    } while (Consume(","));
    return Expect(end);
  }

  absl::Status ErrorAt(size_t position, absl::string_view message) const;
  // The same for an error of somebody else; keeps its code. OK stays OK.
  absl::Status At(size_t position, const absl::Status& status) const;

 private:
  void SkipSpace();
  // Takes the characters that `allowed` allows.
  template <typename Allowed>
  absl::string_view Take(Allowed allowed);
  absl::Status Expected(absl::string_view what);

  absl::string_view text_;
  size_t position_ = 0;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_IR_LEXER_H_
