// The statistics of batch_norm from the moments of the parts of each channel, joined pairwise (Chan,
// Golub and LeVeque, 1983); without parts, from the running statistics. An invocation is a channel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/extremum.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Moments { T moments[]; };  // of channel_moments.comp
layout(std430, binding = 1) readonly buffer Mean { T running_mean[]; };
layout(std430, binding = 2) readonly buffer Variance { T running_variance[]; };
layout(std430, binding = 3) writeonly buffer NewMean { T new_mean[]; };
layout(std430, binding = 4) writeonly buffer NewVariance { T new_variance[]; };
layout(std430, binding = 5) writeonly buffer BatchMean { T batch_mean[]; };
layout(std430, binding = 6) writeonly buffer BatchRstd { T batch_rstd[]; };
layout(push_constant) uniform Constants {
  uint channels;
  uint count;
  uint part_count;
  uint parts;
  uint epsilon_low, epsilon_high;  // bits
  uint momentum_low, momentum_high;
};

void main() {
  const uint channel = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (channel >= channels) return;
  T mean = running_mean[channel];
  T variance = running_variance[channel];
  if (parts == 0) {
    new_mean[channel] = mean;
    new_variance[channel] = variance;
  } else {
    const T momentum = FromBits(uvec2(momentum_low, momentum_high));
    const T old_mean = mean;
    const T old_variance = variance;
    mean = moments[channel];
    T squares = moments[parts * channels + channel];
    uint terms = min(part_count, count);
    for (uint part = 1; part < parts; ++part) {
      const uint at = part * channels + channel;
      const uint more = min(part_count, count - terms);
      const T share = T(more) / T(terms + more);
      const T distance = moments[at] - mean;
      mean += distance * share;
      squares += moments[parts * channels + at] + distance * distance * T(terms) * share;
      terms += more;
    }
    variance = squares / T(count);
    const T unbiased = squares / T(max(count, 2) - 1);
    new_mean[channel] = momentum * old_mean + (ONE - momentum) * mean;
    new_variance[channel] = momentum * old_variance + (ONE - momentum) * unbiased;
  }
  batch_mean[channel] = mean;
  batch_rstd[channel] = ONE / sqrt(variance + FromBits(uvec2(epsilon_low, epsilon_high)));
}
