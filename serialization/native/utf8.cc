#include "tandem/serialization/native/utf8.h"

#include <cstddef>
#include <cstdint>

namespace tandem {

bool IsValidUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<uint8_t>(text[at++]);
    if (lead < 0x80) continue;
    int following = 0;
    uint32_t code = 0;
    uint32_t least = 0;
    if ((lead & 0xE0) == 0xC0) {
      following = 1, code = lead & 0x1F, least = 0x80;
    } else if ((lead & 0xF0) == 0xE0) {
      following = 2, code = lead & 0x0F, least = 0x800;
    } else if ((lead & 0xF8) == 0xF0) {
      following = 3, code = lead & 0x07, least = 0x10000;
    } else {
      return false;
    }
    for (; following > 0; --following) {
      if (at == text.size() || (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80) return false;
      code = (code << 6) | (static_cast<uint8_t>(text[at++]) & 0x3F);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  }
  return true;
}

}  // namespace tandem
