#include "tandem/serialization/native/symbol_file.h"

#include <cmath>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tandem/serialization/native/model.h"
#include "tandem/serialization/native/symbol_scan.h"

namespace tandem {
namespace {

proto::Model Message() {
  proto::Model model;
  model.set_format("tandem.model");
  model.set_format_version("1.0");
  model.mutable_graph()->set_name("brackets [1,\n 2] \"quoted\\\" é");
  proto::Input* input = model.mutable_graph()->add_inputs();
  input->set_name("x");
  input->set_value(0);
  proto::Node* node = model.mutable_graph()->add_nodes();
  node->add_inputs(0);
  node->add_inputs(0);
  node->add_outputs(1);
  proto::Attribute* attribute = node->add_attributes();
  attribute->set_name("axes");
  attribute->mutable_ints()->add_values(-1);
  attribute = node->add_attributes();
  attribute->set_name("rate");
  attribute->set_d(-INFINITY);
  return model;
}

TEST(SymbolFile, BothEncodingsRoundTrip) {
  const proto::Model model = Message();
  for (const SymbolEncoding encoding : {SymbolEncoding::kJson, SymbolEncoding::kBinary}) {
    absl::StatusOr<std::string> bytes = EncodeSymbol(model, encoding);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    absl::StatusOr<proto::Model> same = DecodeSymbol(*bytes, "x");
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_EQ(same->SerializeAsString(), model.SerializeAsString());
  }
}

TEST(SymbolFile, JsonIsLaidOutForPeople) {  // R64
  EXPECT_EQ(*EncodeSymbol(Message(), SymbolEncoding::kJson), R"({
 "format": "tandem.model",
 "formatVersion": "1.0",
 "graph": {
  "name": "brackets [1,\n 2] \"quoted\\\" é",
  "inputs": [
   {
    "name": "x",
    "value": 0
   }
  ],
  "nodes": [
   {
    "inputs": [0, 0],
    "outputs": [1],
    "attributes": [
     {
      "name": "axes",
      "ints": {
       "values": ["-1"]
      }
     },
     {
      "name": "rate",
      "d": "-Infinity"
     }
    ]
   }
  ]
 }
}
)");
}

absl::Status DecodeStatus(const std::string& bytes) { return DecodeSymbol(bytes, "file").status(); }

void ExpectError(const std::string& bytes, absl::StatusCode code, absl::string_view text) {
  const absl::Status status = DecodeStatus(bytes);
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), text)) << status;
  EXPECT_TRUE(absl::StartsWith(status.message(), "file ")) << status;
}

TEST(SymbolFile, VersionComesFirst) {
  using Code = absl::StatusCode;
  for (const SymbolEncoding encoding : {SymbolEncoding::kJson, SymbolEncoding::kBinary}) {
    proto::Model model = Message();
    model.set_format_version("1.2");
    ExpectError(*EncodeSymbol(model, encoding), Code::kUnimplemented,
                "version 1.2 of the format, this library reads 1.0 to 1.1");
    model.set_format_version("2.0");
    ExpectError(*EncodeSymbol(model, encoding), Code::kUnimplemented,
                "it needs a Tandem that reads 2.0");
    for (const char* version : {"", "1", "1.", "0.1", "1.0.0", "1.-1", "99999999999.0", "one"}) {
      model.set_format_version(version);
      ExpectError(*EncodeSymbol(model, encoding), Code::kInvalidArgument, "is not a version");
    }
    model.set_format("other");
    ExpectError(*EncodeSymbol(model, encoding), Code::kInvalidArgument, "not a Tandem model");
  }
  // What a newer version added is not looked at before its version.
  ExpectError(R"({"format": "tandem.model", "formatVersion": "1.7", "new": [{"a": 1}]})",
              Code::kUnimplemented, "1.7");
  ExpectError(R"({"format": "tandem.model", "formatVersion": "1.0", "new": [{"a": 1}]})",
              Code::kInvalidArgument, "new");
  // Protobuf's mapping allows the names of the .proto file too.
  EXPECT_TRUE(DecodeStatus(R"( {"format_version": "1.0", "format": "tandem.model"})").ok());
}

TEST(SymbolFile, UnknownFieldsOfABinaryFile) {
  const std::string bytes = *EncodeSymbol(Message(), SymbolEncoding::kBinary);
  // Field 1000, a number.
  ExpectError(absl::StrCat(bytes, "\xC0\x3E\x01"), absl::StatusCode::kInvalidArgument,
              "fields that its version of the format does not have");
}

TEST(SymbolFile, TornAndForeignFiles) {
  for (const SymbolEncoding encoding : {SymbolEncoding::kJson, SymbolEncoding::kBinary}) {
    const std::string bytes = *EncodeSymbol(Message(), encoding);
    int errors = 0;
    for (size_t size = 0; size + 2 < bytes.size(); ++size) {
      errors += !DecodeStatus(bytes.substr(0, size)).ok();
    }
    // A binary message may end between two of its top-level fields.
    EXPECT_GE(errors,
              static_cast<int>(bytes.size()) - 3 - (encoding == SymbolEncoding::kBinary ? 2 : 0));
  }
  ExpectError("", absl::StatusCode::kDataLoss, "empty");
  ExpectError(" \n ", absl::StatusCode::kDataLoss, "empty");
  EXPECT_FALSE(DecodeStatus("hello").ok());
  EXPECT_FALSE(DecodeStatus(std::string(1000, '\0')).ok());
  EXPECT_FALSE(DecodeStatus("{\"format\": \"tandem.model\", \"formatVersion\": \"1.0\"} x").ok());
}

TEST(SymbolFile, DepthAndDensityAreBounded) {
  using Code = absl::StatusCode;
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"graph\":";
  ExpectError(deep, Code::kInvalidArgument, "deeper");
  // Each "{}," would become an object of hundreds of bytes.
  std::string dense = R"({"format":"tandem.model","formatVersion":"1.0","graph":{"nodes":[{})";
  for (int i = 0; i < 1000000; ++i) dense += ",{}";
  ExpectError(dense + "]}}", Code::kResourceExhausted, "in memory");
  // Two bytes each: field 4 of Graph, of length 0; the graph is field 4 of Model.
  std::string nodes;
  for (int i = 0; i < 1 << 20; ++i) nodes += std::string("\x22\x00", 2);
  const std::string head(
      "\x0a\x0ctandem.model\x12\x03"
      "1.0");
  ExpectError(absl::StrCat(head, std::string("\x22\x80\x80\x80\x01", 5), nodes),
              Code::kResourceExhausted, "in memory");
}

TEST(SymbolScan, EstimatesGrowWithTheGraph) {
  proto::Model model = Message();
  const auto estimate = [&] {
    const int64_t json = ScanJson(*EncodeSymbol(model, SymbolEncoding::kJson))->memory;
    const int64_t binary = ScanBinary(model.SerializeAsString())->memory;
    // The same things, counted twice by different code.
    EXPECT_LT(std::abs(json - binary), json / 4 + 400);
    return json;
  };
  const int64_t before = estimate();
  for (int i = 0; i < 100; ++i) model.mutable_graph()->add_nodes()->set_op("relu");
  EXPECT_GT(estimate(), before + 100 * 650);
}

TEST(SymbolFile, SafetensorsAreToldByTheirContent) {
  const auto looks = [](absl::string_view bytes) {
    return *LooksLikeSafetensors(MemorySource("x", bytes));
  };
  EXPECT_TRUE(looks(absl::string_view("\2\0\0\0\0\0\0\0{}", 10)));
  // A header of 123 bytes: the first byte is '{'.
  EXPECT_TRUE(looks(absl::string_view("{\0\0\0\0\0\0\0{}", 10)));
  EXPECT_FALSE(looks("{        {"));
  EXPECT_FALSE(looks(""));
  EXPECT_FALSE(looks(*EncodeSymbol(Message(), SymbolEncoding::kBinary)));
}

// A body `depth` deep in an attribute of a node.
proto::Model Nested(int depth) {
  proto::Model model = Message();
  proto::Attribute* attribute = model.mutable_graph()->mutable_nodes(0)->add_attributes();
  for (int i = 0; i < depth; ++i) {
    attribute->set_name("body");
    proto::Body* body = attribute->mutable_body();
    body->add_inputs("f32[2]");
    body->add_outputs(1);
    attribute = body->add_steps()->add_attributes();
  }
  attribute->set_name("axes");
  attribute->mutable_ints()->add_values(3);
  return model;
}

TEST(SymbolFile, DepthOfBodiesIsBounded) {
  for (const SymbolEncoding encoding : {SymbolEncoding::kJson, SymbolEncoding::kBinary}) {
    const proto::Model model = Nested(16);
    const absl::StatusOr<std::string> bytes = EncodeSymbol(model, encoding);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const absl::StatusOr<proto::Model> same = DecodeSymbol(*bytes, "x");
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_EQ(same->SerializeAsString(), model.SerializeAsString());
    EXPECT_FALSE(EncodeSymbol(Nested(18), encoding).ok());
    // Bytes that no writer would write.
    const absl::Status deep = DecodeStatus(Nested(1000).SerializeAsString());
    EXPECT_EQ(deep.code(), absl::StatusCode::kInvalidArgument) << deep;
    EXPECT_TRUE(absl::StrContains(deep.message(), "nested more than 16 deep")) << deep;
  }
}

// What a body makes of short texts is counted like what a graph does.
TEST(SymbolFile, MemoryOfBodiesIsCounted) {
  proto::Model model = Nested(1);
  proto::Body* body =
      model.mutable_graph()->mutable_nodes(0)->mutable_attributes(2)->mutable_body();
  for (int i = 0; i < 200000; ++i) body->add_steps()->add_types("f32[]");
  for (const SymbolEncoding encoding : {SymbolEncoding::kJson, SymbolEncoding::kBinary}) {
    EXPECT_EQ(EncodeSymbol(model, encoding).status().code(), absl::StatusCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace tandem
