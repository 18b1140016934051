// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, as in RFC 3720 section 12.1): checksums of
// parameters on disk.
//
//   uint32_t sum = Crc32c("123456789", 9);  // 0xE3069283
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_BASE_CRC32C_H_
#define TANDEM_CORE_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace tandem {

// The checksum of `size` bytes, continuing from `previous` (the checksum of what came before).
uint32_t Crc32c(const void* data, size_t size, uint32_t previous = 0);

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_CRC32C_H_
