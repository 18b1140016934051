#include "tandem/graph/ir/lexer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tandem {
namespace {

bool IsWordCharacter(unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; }

}  // namespace

void TextLexer::SkipSpace() {
  while (position_ < text_.size()) {
    if (absl::ascii_isspace(static_cast<unsigned char>(text_[position_]))) {
      ++position_;
    } else if (absl::StartsWith(text_.substr(position_), "//")) {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else {
      return;
    }
  }
}

template <typename Allowed>
absl::string_view TextLexer::Take(Allowed allowed) {
  const size_t begin = position_;
  while (position_ < text_.size() && allowed(static_cast<unsigned char>(text_[position_]))) {
    ++position_;
  }
  return text_.substr(begin, position_ - begin);
}

absl::Status TextLexer::ErrorAt(size_t position, absl::string_view message) const {
  return At(position, absl::InvalidArgumentError(message));
}

absl::Status TextLexer::At(size_t position, const absl::Status& status) const {
  if (status.ok()) return status;
  const absl::string_view before = text_.substr(0, position);
  const size_t line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 == 0
  return absl::Status(status.code(),
                      absl::StrCat(line, ":", position - line_begin + 1, ": ", status.message()));
}

absl::Status TextLexer::Expected(absl::string_view what) {
  const size_t at = position();
  if (at == text_.size()) return ErrorAt(at, absl::StrCat("expected ", what, ", found the end"));
  absl::string_view found = text_.substr(at, 24);
  found = found.substr(0, found.find('\n'));
  return ErrorAt(at, absl::StrCat("expected ", what, ", found '", absl::CEscape(found), "'"));
}

bool TextLexer::Consume(absl::string_view token) {
  const absl::string_view rest = text_.substr(position());
  if (!absl::StartsWith(rest, token)) return false;
  const bool is_word = IsWordCharacter(token.back());
  if (is_word && rest.size() > token.size() && IsWordCharacter(rest[token.size()])) return false;
  position_ += token.size();
  return true;
}

absl::Status TextLexer::Expect(absl::string_view token) {
  if (Consume(token)) return absl::OkStatus();
  return Expected(absl::StrCat("'", token, "'"));
}

absl::StatusOr<absl::string_view> TextLexer::Word(absl::string_view what) {
  const size_t at = position();
  if (at == text_.size() || absl::ascii_isdigit(text_[at]) || !IsWordCharacter(text_[at])) {
    return Expected(what);
  }
  return Take(IsWordCharacter);
}

absl::StatusOr<absl::string_view> TextLexer::Literal(absl::string_view what) {
  position();
  const absl::string_view literal = Take([](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '+' || c == '(' || c == ')';
  });
  if (literal.empty()) return Expected(what);
  return literal;
}

absl::StatusOr<std::string> TextLexer::String(absl::string_view what) {
  const size_t at = position();
  if (at == text_.size() || text_[at] != '"') return Expected(absl::StrCat(what, " in quotes"));
  ++position_;
  while (position_ < text_.size() && text_[position_] != '"' && text_[position_] != '\n') {
    // An escaped quote does not end the string.
    position_ += text_[position_] == '\\' && position_ + 1 < text_.size() ? 2 : 1;
  }
  if (position_ >= text_.size() || text_[position_] != '"') {
    return ErrorAt(at, "the quotes are not closed on this line");
  }
  std::string unescaped, error;
  if (!absl::CUnescape(text_.substr(at + 1, position_ - at - 1), &unescaped, &error)) {
    return ErrorAt(at, absl::StrCat("in quotes: ", absl::CEscape(error.substr(0, 64))));
  }
  ++position_;
  return unescaped;
}

absl::StatusOr<TextLexer::Name> TextLexer::AnyName(absl::string_view what) {
  // Nothing stands between the sign and the name.
  if (position_ < text_.size() && text_[position_] == '"') {
    absl::StatusOr<std::string> text = String(what);
    if (!text.ok()) return std::move(text).status();
    return Name{*std::move(text), true};
  }
  const absl::string_view name =
      Take([](unsigned char c) { return IsWordCharacter(c) || c == '.' || c == '/'; });
  if (name.empty()) return Expected(what);
  return Name{std::string(name), false};
}

absl::StatusOr<TensorSpec> TextLexer::Type() {
  const size_t at = position();
  Take(IsWordCharacter);
  if (position_ == text_.size() || text_[position_] != '[') {
    position_ = at;
    return Expected("a type such as f32[2,3]");
  }
  ++position_;
  Take([](unsigned char c) { return absl::ascii_isdigit(c) || c == ',' || c == '?'; });
  if (position_ == text_.size() || text_[position_] != ']') return Expected("']'");
  ++position_;
  absl::StatusOr<TensorSpec> spec = ParseTensorSpec(text_.substr(at, position_ - at));
  if (!spec.ok()) return At(at, spec.status());
  return spec;
}

}  // namespace tandem
