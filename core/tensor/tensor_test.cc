#include "tandem/core/tensor/tensor.h"

#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"

namespace tandem {
namespace {

// Once with memory that the host sees, once with memory that must be copied.
class TensorTest : public testing::TestWithParam<bool> {
 protected:
  TestDevice device_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(HostVisible, TensorTest, testing::Bool());

TEST_P(TensorTest, HoldsValues) {
  Tensor x = *Tensor::FromVector<float>({1, 2, 3, 4, 5, 6}, {2, 3}, device_);
  EXPECT_EQ(x.spec().ToString(), "f32[2,3]");
  EXPECT_EQ(*x.ToVector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(x.ToString(), "f32[2,3] test:0 [[1, 2, 3], [4, 5, 6]]");
  Tensor b = *Tensor::FromVector<bool>({true, false}, {2}, device_);
  EXPECT_EQ(*b.ToVector<bool>(), (std::vector<bool>{true, false}));
}

TEST_P(TensorTest, ViewsShareMemory) {
  Tensor x = *Tensor::FromVector<int32_t>({0, 1, 2, 3, 4, 5}, {2, 3}, device_);
  Tensor transposed = *x.WithLayout({{DType::kI32, {3, 2}}, {1, 3}, 0});
  EXPECT_EQ(*transposed.ToVector<int32_t>(), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  Tensor reversed = *x.WithLayout({{DType::kI32, {6}}, {-1}, 5});
  EXPECT_EQ(*reversed.ToVector<int32_t>(), (std::vector<int32_t>{5, 4, 3, 2, 1, 0}));
  Tensor broadcast = *x.WithLayout({{DType::kI32, {2, 2}}, {0, 1}, 4});
  EXPECT_EQ(*broadcast.ToVector<int32_t>(), (std::vector<int32_t>{4, 5, 4, 5}));
  EXPECT_EQ(transposed.buffer(), x.buffer());
}

TEST_P(TensorTest, LayoutsThatLeaveTheBufferAreRefused) {
  Tensor x = *Tensor::FromVector<float>({1, 2, 3, 4}, {4}, device_);
  EXPECT_FALSE(x.WithLayout({{DType::kF32, {5}}, {1}, 0}).ok());
  EXPECT_FALSE(x.WithLayout({{DType::kF32, {2}}, {-1}, 0}).ok());
  EXPECT_FALSE(x.WithLayout({{DType::kF32, {2}}, {1}, 3}).ok());
  EXPECT_FALSE(x.WithLayout({{DType::kF32, {2}}, {int64_t{1} << 62}, 0}).ok());
  EXPECT_FALSE(x.WithLayout({{DType::kF32, {2, 2}}, {1}, 0}).ok());
}

TEST_P(TensorTest, WrongReadsSayWhatToDo) {
  Tensor x = *Tensor::FromVector<float>({1, 2}, {2}, device_);
  EXPECT_EQ(x.ToVector<int32_t>().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(x.Item<float>().status().message().find("one element"), std::string::npos);
  EXPECT_EQ(*(*Tensor::Scalar(2.5, device_)).Item<double>(), 2.5);
  EXPECT_FALSE(Tensor().ToVector<float>().ok());
}

TEST_P(TensorTest, SizesAreChecked) {
  EXPECT_FALSE(Tensor::FromVector<float>({1, 2}, {3}, device_).ok());
  EXPECT_FALSE(Tensor::Empty({DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}}, device_).ok());
  EXPECT_EQ(Tensor::Empty({DType::kF32, {int64_t{1} << 40}}, device_).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(Tensor::Empty({DType::kF32, {-1}}, device_).ok());
  EXPECT_EQ((*Tensor::FromVector<float>({}, {0, 3}, device_)).ToVector<float>()->size(), 0);
}

TEST_P(TensorTest, MovesBetweenDevices) {
  TestDevice other(/*device_memory_visible=*/false, 1);
  Tensor x = *Tensor::FromVector<float>({1, 2, 3, 4}, {2, 2}, device_);
  Tensor transposed = *x.WithLayout({{DType::kF32, {2, 2}}, {1, 2}, 0});
  Tensor there = *CopyToDevice(transposed, other);
  EXPECT_EQ(there.device(), &other);
  EXPECT_TRUE(there.is_contiguous());
  EXPECT_EQ(*there.ToVector<float>(), (std::vector<float>{1, 3, 2, 4}));
}

TEST_P(TensorTest, MemoryIsGivenBack) {
  const int64_t before = device_.allocator().stats().bytes_in_use;
  {
    Tensor x = *Tensor::Empty({DType::kF32, {100}}, device_);
    Tensor y = x;
    EXPECT_GE(device_.allocator().stats().bytes_in_use, before + 400);
  }
  EXPECT_EQ(device_.allocator().stats().bytes_in_use, before);
}

TEST(TensorToString, LongRowsAreShortened) {
  TestDevice device;
  std::vector<int32_t> values(100);
  for (int i = 0; i < 100; ++i) values[i] = i;
  EXPECT_EQ((*Tensor::FromVector<int32_t>(values, {100}, device)).ToString(),
            "i32[100] test:0 [0, 1, 2, ..., 97, 98, 99]");
}

TEST(TensorToString, ABroadcastViewLargerThanMemoryCanBePrintedAndNotCopied) {
  TestDevice device;
  Tensor one = *Tensor::FromVector<int32_t>({7}, {1}, device);
  Tensor wide = *one.WithLayout({{DType::kI32, {int64_t{1} << 50}}, {0}, 0});
  EXPECT_EQ(wide.ToString(), "i32[1125899906842624] test:0 [7, 7, 7, ..., 7, 7, 7]");
  EXPECT_EQ(wide.ToVector<int32_t>().status().code(), absl::StatusCode::kResourceExhausted);
  TestDevice other(true, 1);
  EXPECT_EQ(CopyToDevice(wide, other).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CopyToDevice(Tensor(), other).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseTensorSpec, RoundTripsAndRefuses) {
  for (const char* text : {"f32[2,3]", "bool[]", "i64[?,5]", "bf16[0]"}) {
    EXPECT_EQ((*ParseTensorSpec(text)).ToString(), text);
  }
  for (const char* text : {"", "f32", "f33[1]", "f32[1", "f32[-2]", "f32[1,,2]", "f32[1]x",
                           "f32[9999999999999999999]", "f32[1,1,1,1,1,1,1,1,1]"}) {
    EXPECT_FALSE(ParseTensorSpec(text).ok()) << text;
  }
}

}  // namespace
}  // namespace tandem
