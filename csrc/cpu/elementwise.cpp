// Flat element-by-element kernels.
#include "../shapes/elementwise.h"

#include "kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements per chunk: large enough to hide the cost of handing a chunk out, small enough to stay in L2.
constexpr int64_t kGrain = 16384;

template <class T>
void fill_as(const FillArgs& a) {
  T* y = static_cast<T*>(a.y);
  const T value = static_cast<T>(a.value);
  parallel_for(a.threads, a.n, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) y[i] = value;
  });
}

template <class T>
void assign_as(const AssignArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  parallel_for(a.threads, a.n, kGrain, [&](int64_t begin, int64_t end, int) {
    if (a.accumulate) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(y[i] + x[i]);
    } else {
      __builtin_memcpy(y + begin, x + begin, static_cast<size_t>(end - begin) * sizeof(T));
    }
  });
}

}  // namespace

void fill(const FillArgs& a) {
  switch (a.dtype) {
    case DType::f32: return fill_as<float>(a);
    case DType::f64: return fill_as<double>(a);
    case DType::i32: return fill_as<int32_t>(a);
    case DType::i64: return fill_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return fill_as<uint8_t>(a);
  }
}

void assign(const AssignArgs& a) {
  switch (a.dtype) {
    case DType::f32: return assign_as<float>(a);
    case DType::f64: return assign_as<double>(a);
    case DType::i32: return assign_as<int32_t>(a);
    case DType::i64: return assign_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return assign_as<uint8_t>(a);
  }
}

}  // namespace dlbd::DLBD_ISA
