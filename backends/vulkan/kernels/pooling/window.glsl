// Windows that slide over the planes (channels of images) of a contiguous tensor [planes, height,
// width], as WindowAxis of core/op/window.h; an undilated one.
//
// The push constants of the shader start with struct WindowConstants of kernels/pooling.cc.
#ifndef TANDEM_WINDOW_GLSL
#define TANDEM_WINDOW_GLSL

struct WindowAxis {
  int size;  // of the image
  int kernel;
  int stride;
  int pad_before;
  int pad_after;
  int windows;
};

// The part of window `o` that lies in the image: never empty.
int BeginOf(WindowAxis axis, int o) { return max(o * axis.stride - axis.pad_before, 0); }
int EndOf(WindowAxis axis, int o) {
  return min(o * axis.stride - axis.pad_before + axis.kernel, axis.size);
}
// Elements of window `o`, or with `padded` its size in the padded image.
int SizeOf(WindowAxis axis, int o, bool padded) {
  if (!padded) return EndOf(axis, o) - BeginOf(axis, o);
  return min(axis.kernel, axis.size + axis.pad_before + axis.pad_after - o * axis.stride);
}

// The windows [FirstWindow, EndWindow) that element `i` of the image lies in; there may be none.
int FirstWindow(WindowAxis axis, int i) {
  return max(i + axis.pad_before - axis.kernel + axis.stride, 0) / axis.stride;
}
int EndWindow(WindowAxis axis, int i) {
  return min((i + axis.pad_before) / axis.stride + 1, axis.windows);
}

#endif  // TANDEM_WINDOW_GLSL
