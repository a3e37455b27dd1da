#include "tensor/kernels/resample.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// to[c] += factor * from[c]
void add_pixel(const real* from, real factor, Index channels, real* to) {
#pragma omp simd
  for (Index c = 0; c < channels; ++c) to[c] += factor * from[c];
}

}  // namespace

void gather_windows(Windows windows, const Tensor& fine, real factor, Tensor& coarse) {
  const Index height = fine.extent(1), width = fine.extent(2), channels = fine.extent(3);
  const Index rows = coarse.extent(1), columns = coarse.extent(2);
  parallel_tasks(coarse.extent(0) * rows, [&](Index row) {
    const Index n = row / rows, i = row % rows;
    for (Index j = 0; j < columns; ++j) {
      real* to = coarse.data() + (row * columns + j) * channels;
      for (Index y = i * windows.stride; y < i * windows.stride + windows.size; ++y) {
        for (Index x = j * windows.stride; x < j * windows.stride + windows.size; ++x) {
          add_pixel(fine.data() + ((n * height + y) * width + x) * channels, factor, channels, to);
        }
      }
    }
  });
}

void spread_windows(Windows windows, const Tensor& coarse, real factor, Tensor& fine) {
  const Index height = fine.extent(1), width = fine.extent(2), channels = fine.extent(3);
  const Index rows = coarse.extent(1), columns = coarse.extent(2);
  // The windows that contain position `at`: the first, and one past the last.
  const auto first = [&](Index at) { return at < windows.size ? 0 : (at - windows.size) / windows.stride + 1; };
  const auto last = [&](Index at, Index count) { return std::min(count, at / windows.stride + 1); };
  parallel_tasks(fine.extent(0) * height, [&](Index row) {
    const Index n = row / height, y = row % height;
    for (Index x = 0; x < width; ++x) {
      real* to = fine.data() + (row * width + x) * channels;
      for (Index i = first(y); i < last(y, rows); ++i) {
        for (Index j = first(x); j < last(x, columns); ++j) {
          add_pixel(coarse.data() + ((n * rows + i) * columns + j) * channels, factor, channels, to);
        }
      }
    }
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
