// IDX files: the array format of MNIST and its relatives (Y. LeCun, C. Cortes, C. Burges, "The
// MNIST database"), plain or gzipped.
//
//   TANDEM_ASSIGN_OR_RETURN(IdxArray images, ReadIdx("train-images-idx3-ubyte.gz"));
//   images.spec.ToString();  // "u8[60000,28,28]"
//
// A header is a claim, not a fact: no more memory is taken than IdxOptions::max_bytes, and a header
// that does not fit what follows is an error. Thread rules: pure functions.
#ifndef TANDEM_FRONTENDS_CPP_DATA_IDX_H_
#define TANDEM_FRONTENDS_CPP_DATA_IDX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::data {

struct IdxArray {
  TensorSpec spec;
  std::vector<std::byte> bytes;  // row-major, in this machine's byte order
};

struct IdxOptions {
  // Contents beyond this many bytes are refused; 0: four times the file plus 60 MB, so that a small
  // file cannot expand to fill the memory.
  int64_t max_bytes = 0;
};

// NOT_FOUND if there is no such file; INVALID_ARGUMENT names the file and what is wrong with it.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path, const IdxOptions& options = {});

}  // namespace tandem::data

#endif  // TANDEM_FRONTENDS_CPP_DATA_IDX_H_
