// The order of values along rows, and places in a sorted sequence.
#include <bit>

#include "../shapes/kernels.h"
#include "../shapes/sort.h"
#include "radix_sort.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

// Unsigned numbers in the order of the values.
__device__ __forceinline__ uint32_t key_of(uint8_t x) { return x; }
__device__ __forceinline__ uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ (uint32_t{1} << 31); }
__device__ __forceinline__ uint64_t key_of(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }
template <class Bits>
__device__ __forceinline__ Bits key_of_bits(Bits bits) {
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  return bits & kSign ? ~bits : bits | kSign;
}
// NaN is the largest; adding 0 makes a -0 of no less than 0.
__device__ __forceinline__ uint32_t key_of(float x) {
  return x != x ? ~uint32_t{0} : key_of_bits(uint32_t{__float_as_uint(x + 0.0f)});
}
__device__ __forceinline__ uint64_t key_of(double x) {
  return x != x ? ~uint64_t{0} : key_of_bits(static_cast<uint64_t>(__double_as_longlong(x + 0.0)));
}
template <class T>
using Key = decltype(key_of(T{}));

template <class T>
struct Values {
  const T* x;
  int64_t n;
  bool descending;

  __device__ __forceinline__ Key<T> key(int64_t row, int64_t position) const {
    const Key<T> key = key_of(x[row * n + position]);
    return descending ? ~key : key;
  }
  __device__ __forceinline__ void meet(int64_t, int64_t) const {}
};

// Short rows: a block each, in shared memory, by a bitonic network (Batcher 1968). What comes first among equal keys is
// the lower position, so that the network, too, is stable.
constexpr int kShortRow = 2048;

template <class T, int kSize>
struct Places {
  Key<T> key[kSize];
  int32_t position[kSize];
};

template <class T, int kSize>
__global__ void short_rows_kernel(Values<T> values, int64_t rows, int size, int64_t k, int32_t* order) {
  auto& places = shared<Places<T, kSize>>();
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    for (int i = threadIdx.x; i < size; i += blockDim.x) {  // beyond the row: the largest keys, the highest positions
      places.key[i] = i < values.n ? values.key(row, i) : ~Key<T>{0};
      places.position[i] = i;
    }
    for (int run = 2; run <= size; run *= 2) {
      for (int step = run / 2; step > 0; step /= 2) {
        __syncthreads();
        for (int pair = threadIdx.x; pair < size / 2; pair += blockDim.x) {
          const int low = pair / step * (2 * step) + pair % step, high = low + step;
          const Key<T> a = places.key[low], b = places.key[high];
          const int32_t at_a = places.position[low], at_b = places.position[high];
          const bool later = a > b || (a == b && at_a > at_b), ascending = (low & run) == 0;
          if (later == ascending) {
            places.key[low] = b, places.key[high] = a;
            places.position[low] = at_b, places.position[high] = at_a;
          }
        }
      }
    }
    __syncthreads();
    for (int64_t i = threadIdx.x; i < k; i += blockDim.x) order[row * k + i] = places.position[i];
    __syncthreads();
  }
}

template <class T>
__global__ void search_kernel(SearchSortedArgs a) {
  const T *sorted = static_cast<const T*>(a.sorted), *values = static_cast<const T*>(a.values);
  for (int64_t i = global_thread(); i < a.count; i += global_threads()) {
    const Key<T> key = key_of(values[i]);
    int64_t low = 0, high = a.n;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      const Key<T> found = key_of(sorted[middle]);
      if (found < key || (a.right && found == key))
        low = middle + 1;
      else
        high = middle;
    }
    a.places[i] = static_cast<int32_t>(low);
  }
}

template <int kSize, class T>
void sort_short(const SortOrderArgs& a, const Values<T>& values) {
  const int size = static_cast<int>(std::bit_ceil(static_cast<unsigned>(a.n)));
  constexpr unsigned kThreads = kSize / 2 < kSortThreads ? kSize / 2 : kSortThreads;
  launch(short_rows_kernel<T, kSize>, {blocks_for(a.rows), kThreads, sizeof(Places<T, kSize>)}, stream_of(a), values,
         a.rows, size, a.k, a.order);
}

// Where things lie in scratch memory.
struct Scratch {
  int64_t order[2], counts, totals, end;
};

Scratch scratch_of(const SortOrderArgs& a) {
  constexpr int64_t kAlignment = 64;
  int64_t end = 0;
  const auto take = [&](int64_t bytes) {
    const int64_t start = end;
    end += ceil_div(bytes, kAlignment) * kAlignment;
    return start;
  };
  Scratch s{};
  s.order[0] = take(a.rows * a.n * static_cast<int64_t>(sizeof(int32_t)));
  s.order[1] = take(a.rows * a.n * static_cast<int64_t>(sizeof(int32_t)));
  s.counts = take(a.rows * kDigits * sort_tiles(a.n) * static_cast<int64_t>(sizeof(int64_t)));
  s.totals = take(a.rows * kDigits * static_cast<int64_t>(sizeof(int64_t)));
  s.end = end;
  return s;
}

template <class T>
void sort_long(const SortOrderArgs& a, const Values<T>& values) {
  const Scratch s = scratch_of(a);
  char* memory = static_cast<char*>(a.scratch);
  const auto positions = [&](int64_t offset) { return reinterpret_cast<int32_t*>(memory + offset); };
  const auto words = [&](int64_t offset) { return reinterpret_cast<int64_t*>(memory + offset); };
  radix_sort(values, a.rows, a.n, 8 * static_cast<int>(sizeof(T)),
             SortMemory<int32_t>{{positions(s.order[0]), positions(s.order[1])}, words(s.counts), words(s.totals)},
             a.order, a.k, stream_of(a));
}

}  // namespace

int64_t sort_order_scratch(const SortOrderArgs& a) { return a.n <= kShortRow ? 0 : scratch_of(a).end; }

void sort_order(const SortOrderArgs& a) {
  if (a.rows == 0 || a.k == 0) return;
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Values<T> values{static_cast<const T*>(a.x), a.n, a.descending};
    if (a.n <= 64) return sort_short<64>(a, values);
    if (a.n <= 512) return sort_short<512>(a, values);
    a.n <= kShortRow ? sort_short<kShortRow>(a, values) : sort_long(a, values);
  });
}

void search_sorted(const SearchSortedArgs& a) {
  if (a.count == 0) return;
  with_type(a.dtype, [&](auto zero) {
    launch(search_kernel<decltype(zero)>, {blocks_for(ceil_div(a.count, kSortThreads)), kSortThreads}, stream_of(a), a);
  });
}

}  // namespace dlbd::cuda
