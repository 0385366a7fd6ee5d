// The order of values along rows, and places in a sorted sequence.
#include "../shapes/sort.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kTaskElements = 8192;  // of the rows, or of the values, that one task takes
constexpr int64_t kFew = 32;             // the first so many are kept in order while the row is read
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;

// Unsigned numbers in the order of the values.
DLBD_INLINE uint32_t key_of(uint8_t x) { return x; }
DLBD_INLINE uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ (uint32_t{1} << 31); }
DLBD_INLINE uint64_t key_of(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }
template <class Bits, class T>
DLBD_INLINE Bits key_of_float(T x) {
  if (x != x) return ~Bits{0};
  if (x == T(0)) x = T(0);  // -0 is no less than 0
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  Bits bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits & kSign ? ~bits : bits | kSign;
}
DLBD_INLINE uint32_t key_of(float x) { return key_of_float<uint32_t>(x); }
DLBD_INLINE uint64_t key_of(double x) { return key_of_float<uint64_t>(x); }

template <class T>
struct Row {
  using Key = decltype(key_of(T{}));
  struct Entry {
    Key key;
    int32_t position;
  };
  const T* x;
  int64_t n;
  bool descending;

  DLBD_INLINE Entry entry(int64_t i) const {
    const Key key = key_of(x[i]);
    return {descending ? ~key : key, static_cast<int32_t>(i)};
  }
};

template <class Entry>
DLBD_INLINE void insert(Entry* sorted, int64_t count, Entry e) {
  int64_t i = count;
  for (; i > 0 && e.key < sorted[i - 1].key; --i) sorted[i] = sorted[i - 1];
  sorted[i] = e;
}

// The first k <= kFew.
template <class T>
void first_few(const Row<T>& row, int64_t k, int32_t* order) {
  typename Row<T>::Entry best[kFew + 1];
  int64_t count = 0;
  for (int64_t i = 0; i < row.n; ++i) {
    const auto e = row.entry(i);
    if (count == k && !(e.key < best[k - 1].key)) continue;
    insert(best, count, e);
    count = min_of(count + 1, k);
  }
  for (int64_t i = 0; i < k; ++i) order[i] = best[i].position;
}

// By the digits, the last first; a digit that all have in common is left out. Returns where the entries ended up.
template <class Entry>
const Entry* radix_sort(Entry* entries, Entry* other, int64_t n) {
  constexpr int kPasses = sizeof(entries->key) * 8 / kDigitBits;
  int64_t counts[kPasses][kDigits] = {};
  const auto digit = [](const Entry& e, int pass) { return (e.key >> (pass * kDigitBits)) & (kDigits - 1); };
  for (int64_t i = 0; i < n; ++i)
    for (int pass = 0; pass < kPasses; ++pass) ++counts[pass][digit(entries[i], pass)];
  for (int pass = 0; pass < kPasses; ++pass) {
    if (counts[pass][digit(entries[0], pass)] == n) continue;
    int64_t start = 0;
    for (int64_t& count : counts[pass]) {
      const int64_t here = count;
      count = start;
      start += here;
    }
    for (int64_t i = 0; i < n; ++i) other[counts[pass][digit(entries[i], pass)]++] = entries[i];
    Entry* const sorted = other;
    other = entries;
    entries = sorted;
  }
  return entries;
}

template <class T>
void sort_as(const SortOrderArgs& a) {
  using Entry = typename Row<T>::Entry;
  const int64_t grain = max_of<int64_t>(1, kTaskElements / max_of<int64_t>(1, a.n));
  parallel_for(a.threads, a.rows, grain, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t r = begin; r < end; ++r) {
      const Row<T> row{static_cast<const T*>(a.x) + r * a.n, a.n, a.descending};
      int32_t* order = a.order + r * a.k;
      if (a.k <= kFew) {
        first_few(row, a.k, order);
        continue;
      }
      Entry* entries = static_cast<Entry*>(a.scratch) + worker * 2 * a.n;
      for (int64_t i = 0; i < a.n; ++i) entries[i] = row.entry(i);
      const Entry* sorted = radix_sort(entries, entries + a.n, a.n);
      for (int64_t i = 0; i < a.k; ++i) order[i] = sorted[i].position;
    }
  });
}

template <class T>
void search_as(const SearchSortedArgs& a) {
  const T *sorted = static_cast<const T*>(a.sorted), *values = static_cast<const T*>(a.values);
  parallel_for(a.threads, a.count, kTaskElements, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto key = key_of(values[i]);
      int64_t low = 0, high = a.n;
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const auto found = key_of(sorted[middle]);
        if (found < key || (a.right && found == key))
          low = middle + 1;
        else
          high = middle;
      }
      a.places[i] = static_cast<int32_t>(low);
    }
  });
}

}  // namespace

int64_t sort_order_scratch(const SortOrderArgs& a) {
  return a.k <= kFew ? 0 : a.threads * 2 * a.n * static_cast<int64_t>(sizeof(Row<double>::Entry));
}

void sort_order(const SortOrderArgs& a) {
  switch (a.dtype) {
    case DType::f32: return sort_as<float>(a);
    case DType::f64: return sort_as<double>(a);
    case DType::i32: return sort_as<int32_t>(a);
    case DType::i64: return sort_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return sort_as<uint8_t>(a);
  }
}

void search_sorted(const SearchSortedArgs& a) {
  switch (a.dtype) {
    case DType::f32: return search_as<float>(a);
    case DType::f64: return search_as<double>(a);
    case DType::i32: return search_as<int32_t>(a);
    case DType::i64: return search_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return search_as<uint8_t>(a);
  }
}

}  // namespace dlbd::DLBD_ISA
