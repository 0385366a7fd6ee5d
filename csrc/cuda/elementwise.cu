// Flat copies: fill, assign, cast.
#include "../shapes/kernels.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void fill_kernel(int64_t n, T value, T* y) {
  for (int64_t i = global_thread(); i < n; i += global_threads()) y[i] = value;
}

template <class T>
__global__ void assign_kernel(int64_t n, const T* x, T* y, bool accumulate) {
  for (int64_t i = global_thread(); i < n; i += global_threads())
    y[i] = accumulate ? static_cast<T>(y[i] + x[i]) : x[i];
}

Grid flat(int64_t n) { return {blocks_for(ceil_div(n, kThreads)), kThreads}; }

}  // namespace

void fill(const FillArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(fill_kernel<T>, flat(a.n), stream_of(a), a.n, static_cast<T>(a.value), static_cast<T*>(a.y));
  });
}

void assign(const AssignArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(assign_kernel<T>, flat(a.n), stream_of(a), a.n, static_cast<const T*>(a.x), static_cast<T*>(a.y),
           a.accumulate);
  });
}

}  // namespace dlbd::cuda
