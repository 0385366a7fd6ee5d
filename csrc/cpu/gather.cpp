// Elements chosen by an index along one axis, and the deterministic sum that is its gradient.
#include "../shapes/copy.h"
#include "../shapes/kernels.h"
#include "broadcast.h"

namespace dlbd::DLBD_ISA {
namespace {

// Reports the first index out of range; the caller then leaves the output filled with zeros.
template <class I>
bool in_range(const GatherArgs& a) {
  const I* index = static_cast<const I*>(a.indices);
  const int64_t count = a.along ? a.outer * a.m * a.inner : a.m;
  for (int64_t j = 0; j < count; ++j) {
    const int64_t k = static_cast<int64_t>(index[j]);
    if (k >= -a.n && k < a.n) continue;
    if (a.status->code == Fault::none) *a.status = {Fault::index_out_of_range, k, a.n, j};
    return false;
  }
  return true;
}

template <class T, class I>
void gather_as(const GatherArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  const I* index = static_cast<const I*>(a.indices);
  T* y = static_cast<T*>(a.y);
  if (!in_range<I>(a)) {
    __builtin_memset(y, 0, static_cast<size_t>(a.outer * a.m * a.inner) * sizeof(T));
    return;
  }
  const int64_t grain = max_of<int64_t>(1, kElementGrain / max_of<int64_t>(1, a.inner));
  parallel_for(a.threads, a.outer * a.m, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t o = row / a.m, j = row % a.m;
      T* to = y + row * a.inner;
      if (a.along) {
        for (int64_t i = 0; i < a.inner; ++i) {
          const int64_t k = static_cast<int64_t>(index[row * a.inner + i]);
          to[i] = x[(o * a.n + (k < 0 ? k + a.n : k)) * a.inner + i];
        }
        continue;
      }
      const int64_t k = static_cast<int64_t>(index[j]);
      const T* from = x + (o * a.n + (k < 0 ? k + a.n : k)) * a.inner;
      if (a.inner == 1) {
        *to = *from;
      } else {
        __builtin_memcpy(to, from, static_cast<size_t>(a.inner) * sizeof(T));
      }
    }
  });
}

// Each worker owns columns of dx and meets the indices in order: the same sums at any number of threads.
template <class T, class I>
void scatter_as(const GatherArgs& a) {
  constexpr int64_t kColumns = 256;
  const T* dy = static_cast<const T*>(a.x);
  const I* index = static_cast<const I*>(a.indices);
  T* dx = static_cast<T*>(a.y);
  const bool valid = in_range<I>(a);
  const int64_t blocks = ceil_div(a.inner, kColumns);
  parallel_for(a.threads, a.outer * blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t o = chunk / blocks, first = chunk % blocks * kColumns;
      const int64_t width = min_of(kColumns, a.inner - first);
      T* to = dx + o * a.n * a.inner + first;
      if (!a.accumulate)
        for (int64_t k = 0; k < a.n; ++k)
          for (int64_t i = 0; i < width; ++i) to[k * a.inner + i] = T(0);
      if (!valid) continue;
      for (int64_t j = 0; j < a.m; ++j) {
        const int64_t at = (o * a.m + j) * a.inner + first;
        if (a.along) {
          for (int64_t i = 0; i < width; ++i) {
            const int64_t k = static_cast<int64_t>(index[at + i]);
            to[(k < 0 ? k + a.n : k) * a.inner + i] += dy[at + i];
          }
        } else {
          const int64_t k = static_cast<int64_t>(index[j]);
          T* row = to + (k < 0 ? k + a.n : k) * a.inner;
          for (int64_t i = 0; i < width; ++i) row[i] += dy[at + i];
        }
      }
    }
  });
}

template <class T>
void gather_by(const GatherArgs& a) {
  a.wide ? gather_as<T, int64_t>(a) : gather_as<T, int32_t>(a);
}

template <class T>
void scatter_by(const GatherArgs& a) {
  a.wide ? scatter_as<T, int64_t>(a) : scatter_as<T, int32_t>(a);
}

}  // namespace

void gather_forward(const GatherArgs& a) {
  switch (a.dtype) {
    case DType::f32:
    case DType::i32: return gather_by<int32_t>(a);
    case DType::f64:
    case DType::i64: return gather_by<int64_t>(a);
    case DType::u8:
    case DType::b8: return gather_by<uint8_t>(a);
  }
}

int64_t gather_backward_scratch(const GatherArgs&) { return 0; }
void gather_backward(const GatherArgs& a) { a.dtype == DType::f32 ? scatter_by<float>(a) : scatter_by<double>(a); }

}  // namespace dlbd::DLBD_ISA
