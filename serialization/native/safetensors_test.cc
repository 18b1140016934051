#include "tandem/serialization/native/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/serialization/native/test_files.h"

namespace tandem {
namespace {

std::string File(absl::string_view header, absl::string_view data) {
  uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return absl::StrCat(bytes, header, data);
}

absl::Status OpenStatus(const std::string& bytes) {
  const MemorySource source("x.params", bytes);
  return SafetensorsReader::Open(source).status();
}

// Every error names the file.
void ExpectError(const std::string& bytes, absl::StatusCode code, absl::string_view text) {
  const absl::Status status = OpenStatus(bytes);
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), text)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "x.params")) << status;
}

std::string Bytes(const Tensor& tensor) {
  std::string bytes(static_cast<size_t>(tensor.spec().num_bytes()), '\0');
  EXPECT_TRUE(
      tensor.CopyToHost(absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size()))
          .ok());
  return bytes;
}

absl::Status Write(const std::string& path, const std::vector<NamedTensor>& tensors,
                   const SafetensorsMetadata& metadata = {}, bool checksums = true) {
  std::vector<uint32_t> sums;
  for (const NamedTensor& named : tensors) {
    if (checksums) sums.push_back(ChecksumOf(named.tensor).value_or(0));
  }
  absl::StatusOr<AtomicFile> file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  const absl::Status status = WriteSafetensors(tensors, sums, metadata, &*file);
  return status.ok() ? file->Commit() : status;
}

TEST(Safetensors, LayoutIsThatOfTheFormat) {
  TestDevice device;
  const std::string path = TestPath("file");
  const Tensor bytes = *Tensor::FromVector<int8_t>({1, 2, 3}, {3}, device);
  const Tensor floats = *Tensor::FromVector<float>({1.0f}, {}, device);
  ASSERT_TRUE(Write(path, {{"a", bytes}, {"z \"", floats}}, {{"format", "tandem"}}, false).ok());
  const std::string file = ReadBytes(path);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  EXPECT_EQ(length % 8, 0);
  std::string header = file.substr(8, length);
  header.resize(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(header, R"({"__metadata__":{"format":"tandem"},)"
                    R"("z \"":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                    R"("a":{"dtype":"I8","shape":[3],"data_offsets":[4,7]}})");
  EXPECT_EQ(file.substr(8 + length), std::string("\0\0\x80\x3f\1\2\3", 7));
}

TEST(Safetensors, EveryDTypeRoundTripsBitForBit) {  // R65
  TestDevice device;
  // On a GPU the host must copy.
  TestDevice hidden(/*device_memory_visible=*/false);
  const std::string path = TestPath("file");
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0, 2}, Shape{7}, Shape{2, 3, 5},
                               Shape{1, 1, 1, 1, 1, 1, 1, 1}}) {
      const TensorSpec spec{dtype, shape};
      std::vector<std::byte> bytes(static_cast<size_t>(spec.num_bytes()));
      // All bits set is a NaN with a payload; the others are whatever they are.
      for (size_t b = 0; b < bytes.size(); ++b) {
        bytes[b] = dtype == DType::kBool ? std::byte(b % 2)
                                         : std::byte(b < 8 ? 0xFF : (b * 37 + i) & 0xFF);
      }
      tensors.push_back(
          {absl::StrCat(spec.ToString(), " é"), *Tensor::FromBytes(bytes, spec, device)});
    }
  }
  ASSERT_TRUE(Write(path, tensors).ok());
  absl::StatusOr<std::unique_ptr<FileSource>> source = FileSource::Open(path);
  ASSERT_TRUE(source.ok());
  absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(**source);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->entries().size(), tensors.size());
  for (const NamedTensor& named : tensors) {
    const SafetensorsEntry* entry = reader->Find(named.name);
    ASSERT_NE(entry, nullptr) << named.name;
    EXPECT_EQ(entry->begin % DTypeSize(entry->spec.dtype), 0) << named.name;
    for (Device* to : {static_cast<Device*>(&device), static_cast<Device*>(&hidden)}) {
      absl::StatusOr<Tensor> tensor = reader->ReadTensor(*entry, *to);
      ASSERT_TRUE(tensor.ok()) << tensor.status();
      EXPECT_EQ(tensor->spec(), named.tensor.spec());
      EXPECT_EQ(Bytes(*tensor), Bytes(named.tensor)) << named.name;
    }
  }
  EXPECT_EQ(reader->Find("no such tensor"), nullptr);
}

TEST(Safetensors, NoTensorsAndViews) {
  TestDevice device;
  const std::string path = TestPath("file");
  ASSERT_TRUE(Write(path, {}).ok());
  EXPECT_TRUE(OpenStatus(ReadBytes(path)).ok());
  // A transposed view is written row-major.
  const Tensor x = *Tensor::FromVector<int32_t>({1, 2, 3, 4}, {2, 2}, device);
  TensorLayout layout = x.layout();
  std::swap(layout.strides[0], layout.strides[1]);
  ASSERT_TRUE(Write(path, {{"x", *x.WithLayout(layout)}}).ok());
  const std::string bytes = ReadBytes(path);
  const MemorySource source("x", bytes);
  const SafetensorsReader reader = *SafetensorsReader::Open(source);
  EXPECT_EQ(*reader.ReadTensor(*reader.Find("x"), device)->ToVector<int32_t>(),
            (std::vector<int32_t>{1, 3, 2, 4}));
}

TEST(Safetensors, FilesOfOtherPrograms) {
  // Spaces, any order of keys and tensors, no metadata, no padding.
  const std::string bytes = File(R"( { "b" : {"data_offsets":[1,3],"shape":[1],"dtype":"F16"} , )"
                                 R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                                 "abc");
  EXPECT_TRUE(OpenStatus(bytes).ok()) << OpenStatus(bytes);
}

TEST(Safetensors, ChecksumNamesTheTensor) {
  TestDevice device;
  const std::string path = TestPath("file");
  const Tensor x = *Tensor::FromVector<float>({1, 2, 3}, {3}, device);
  ASSERT_TRUE(Write(path, {{"weight", x}}).ok());
  std::string bytes = ReadBytes(path);
  bytes[bytes.size() - 5] ^= 1;
  const MemorySource source("x.params", bytes);
  const SafetensorsReader reader = *SafetensorsReader::Open(source);
  const absl::Status status = reader.ReadTensor(*reader.Find("weight"), device).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(status.message(), "x.params: tensor 'weight'")) << status;
  EXPECT_TRUE(reader.ReadTensor(*reader.Find("weight"), device, /*verify=*/false).ok());
}

TEST(Safetensors, ChecksumFromOutsideWhereTheFileHasNone) {
  TestDevice device;
  const std::string bytes =
      File(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "123456789");
  const MemorySource source("x.params", bytes);
  const SafetensorsReader reader = *SafetensorsReader::Open(source);
  const SafetensorsEntry& entry = *reader.Find("a");
  EXPECT_TRUE(reader.ReadTensor(entry, device).ok());
  EXPECT_TRUE(reader.ReadTensor(entry, device, true, "e3069283").ok());
  EXPECT_EQ(reader.ReadTensor(entry, device, true, "e3069284").status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(Safetensors, BoolsAreZeroOrOne) {
  TestDevice device;
  const std::string bytes =
      File(R"({"m":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", std::string("\0\1\2", 3));
  const MemorySource source("x.params", bytes);
  const SafetensorsReader reader = *SafetensorsReader::Open(source);
  const absl::Status status = reader.ReadTensor(*reader.Find("m"), device).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "element 2 is 2")) << status;
}

TEST(Safetensors, WriterRefusesWhatCannotBeRead) {
  TestDevice device;
  const Tensor x = *Tensor::FromVector<float>({1}, {1}, device);
  const std::string path = TestPath("file");
  using Code = absl::StatusCode;
  EXPECT_EQ(Write(path, {{"a", x}, {"a", x}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(path, {{"__metadata__", x}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(path, {{"\xff", x}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(path, {{"a", Tensor()}}, {}, false).code(), Code::kInvalidArgument);
  EXPECT_EQ(Write(path, {{"a", x}}, {{"k", "\xff"}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(ReadBytes(path), "");
}

TEST(Safetensors, SizesThatAreNotThere) {
  using Code = absl::StatusCode;
  ExpectError("", Code::kDataLoss, "0 bytes");
  ExpectError("1234567", Code::kDataLoss, "7 bytes");
  ExpectError(std::string(8, '\xff'), Code::kDataLoss, "a header of 18446744073709551615 bytes");
  ExpectError(File("{}", "").substr(0, 9), Code::kDataLoss, "a header of 2 bytes, of 1");
  ExpectError(File(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abc"),
              Code::kDataLoss, "tensor 'a' u8[4] at bytes 0 to 4: the data has 3 bytes");
}

TEST(Safetensors, TensorsThatDoNotFit) {
  using Code = absl::StatusCode;
  const auto entry = [](absl::string_view name, absl::string_view shape, absl::string_view offsets,
                        absl::string_view dtype = "U8") {
    return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[", shape,
                        "],\"data_offsets\":[", offsets, "]}");
  };
  const auto file = [](absl::string_view entries) {
    return File(absl::StrCat("{", entries, "}"), "0123");
  };
  ExpectError(file(entry("a", "3", "0,4")), Code::kInvalidArgument, "its shape needs 3 bytes");
  ExpectError(file(entry("a", "4", "4,0")), Code::kInvalidArgument, "tensor 'a'");
  ExpectError(file(entry("a", "3", "0,3") + "," + entry("b", "2", "2,4")), Code::kInvalidArgument,
              "tensor 'b' u8[2] at bytes 2 to 4: overlaps");
  ExpectError(file(entry("a", "1", "0,1") + "," + entry("b", "2", "2,4")), Code::kInvalidArgument,
              "leaves a gap after byte 1");
  ExpectError(file(entry("a", "3", "0,3")), Code::kInvalidArgument, "end at byte 3 of 4");
  ExpectError(file(entry("a", "2", "0,2") + "," + entry("a", "2", "2,4")), Code::kInvalidArgument,
              "tensor 'a': the name stands twice");
  ExpectError(file(entry("a", "1,1,1,1,1,1,1,1,4", "0,4")), Code::kInvalidArgument,
              "at most 8 dimensions");
  ExpectError(file(entry("a", "4294967296,4294967296,0", "0,0")), Code::kResourceExhausted,
              "tensor 'a'");
  ExpectError(file(entry("a", "9223372036854775808", "0,4")), Code::kInvalidArgument,
              "out of range");
  ExpectError(file(entry("a", "-1", "0,4")), Code::kInvalidArgument, "-1 is negative");
  ExpectError(file(entry("a", "4.0", "0,4")), Code::kInvalidArgument, "'4.0' is not a size");
  ExpectError(file(entry("a", "4", "0,4", "F8_E4M3")), Code::kUnimplemented,
              "tensor 'a': the dtype 'F8_E4M3'");
  ExpectError(file(entry("a", "4", "0")), Code::kInvalidArgument, "two numbers");
  ExpectError(file(entry("a", "4", "0,4,4")), Code::kInvalidArgument, "two numbers");
}

TEST(Safetensors, HeadersThatAreNotWhatTheyShouldBe) {
  for (const char* header :
       {"",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        "{}}",
        "{} {}",
        R"({"a":1})",
        R"({"a":[]})",
        R"({"a":{}})",
        R"({"a":{"dtype":"U8","shape":[0]}})",
        R"({"a":{"dtype":{}}})",
        R"({"a":{"shape":[[0]]}})",
        R"({"a":{"shape":0}})",
        R"({"a":{"shape":[null]}})",
        R"({"a":{"more":1}})",
        R"({"__metadata__":[]})",
        R"({"__metadata__":{"a":1}})",
        R"({"__metadata__":{"a":{}}})",
        R"({"__metadata__":{"a":"1","a":"2"}})",
        R"({"__metadata__":{},"__metadata__":{}})",
        R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
        "{\"\xff\":{}}",
        "{\"a\":{\"shape\":[1e999]}}"}) {
    SCOPED_TRACE(header);
    ExpectError(File(header, ""), absl::StatusCode::kInvalidArgument, "");
  }
  // Depth costs neither stack nor memory.
  ExpectError(File(std::string(1 << 20, '['), ""), absl::StatusCode::kInvalidArgument, "");
}

}  // namespace
}  // namespace tandem
