// Rows of a table by index, and the sum of gradients back into them.
#include "../shapes/embedding.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements that one task moves: enough to hide the cost of handing it out.
constexpr int64_t kTaskElements = 16384;

DLBD_INLINE int64_t rows_per_task(const EmbeddingShape& s) {
  return max_of<int64_t>(1, kTaskElements / max_of<int64_t>(1, s.columns));
}

// The first index out of range goes into the status, unless an earlier launch has filled it.
template <class I>
void report(const EmbeddingShape& s, const I* indices, Status* status) {
  bool fault = false;
  for (int64_t i = 0; i < s.count; ++i) fault |= static_cast<uint64_t>(indices[i]) >= static_cast<uint64_t>(s.rows);
  if (!fault || status->code != Fault::none) return;
  int64_t i = 0;
  while (static_cast<uint64_t>(indices[i]) < static_cast<uint64_t>(s.rows)) ++i;
  status->code = Fault::index_out_of_range;
  status->value = static_cast<int64_t>(indices[i]), status->limit = s.rows, status->where = i;
}

template <class T, class I>
void gather(const EmbeddingForwardArgs& a) {
  const EmbeddingShape& s = a.shape;
  const I* indices = static_cast<const I*>(a.indices);
  const T* table = static_cast<const T*>(a.table);
  T* y = static_cast<T*>(a.y);
  report(s, indices, a.status);
  const size_t bytes = static_cast<size_t>(s.columns) * sizeof(T);
  parallel_for(a.threads, s.count, rows_per_task(s), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = static_cast<int64_t>(indices[i]);
      if (row >= 0 && row < s.rows)
        __builtin_memcpy(y + i * s.columns, table + row * s.columns, bytes);
      else
        __builtin_memset(y + i * s.columns, 0, bytes);
    }
  });
}

// A counting sort of the positions by row, then each row adds up its gradients in the order of their positions: no
// atomics, and the same bits however the rows are shared out.
template <class T, class I>
void scatter(const EmbeddingBackwardArgs& a) {
  const EmbeddingShape& s = a.shape;
  const I* indices = static_cast<const I*>(a.indices);
  const T* dy = static_cast<const T*>(a.dy);
  T* dtable = static_cast<T*>(a.dtable);
  int64_t* first = static_cast<int64_t*>(a.scratch);  // positions of row r: order[first[r]] .. order[first[r + 1]]
  int64_t* order = first + s.rows + 2;
  for (int64_t r = 0; r < s.rows + 2; ++r) first[r] = 0;
  report(s, indices, a.status);
  const auto within = [&](int64_t row) { return row >= 0 && row < s.rows; };
  for (int64_t i = 0; i < s.count; ++i)
    if (const int64_t row = static_cast<int64_t>(indices[i]); within(row)) ++first[row + 2];
  for (int64_t r = 2; r < s.rows + 2; ++r) first[r] += first[r - 1];
  for (int64_t i = 0; i < s.count; ++i)  // leaves first[r + 1] where row r ends
    if (const int64_t row = static_cast<int64_t>(indices[i]); within(row)) order[first[row + 1]++] = i;
  parallel_for(a.threads, s.rows, rows_per_task(s), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      T* to = dtable + r * s.columns;
      int64_t p = first[r];
      if (!a.accumulate) {
        const size_t bytes = static_cast<size_t>(s.columns) * sizeof(T);
        if (p == first[r + 1]) {
          __builtin_memset(to, 0, bytes);
          continue;
        }
        __builtin_memcpy(to, dy + order[p++] * s.columns, bytes);
      }
      for (; p < first[r + 1]; ++p) {
        const T* from = dy + order[p] * s.columns;
        for (int64_t j = 0; j < s.columns; ++j) to[j] += from[j];
      }
    }
  });
}

template <class T>
void gather_as(const EmbeddingForwardArgs& a) {
  if (a.shape.index_dtype == DType::i64) return gather<T, int64_t>(a);
  if (a.shape.index_dtype == DType::i32) return gather<T, int32_t>(a);
  gather<T, uint8_t>(a);
}

template <class T>
void scatter_as(const EmbeddingBackwardArgs& a) {
  if (a.shape.index_dtype == DType::i64) return scatter<T, int64_t>(a);
  if (a.shape.index_dtype == DType::i32) return scatter<T, int32_t>(a);
  scatter<T, uint8_t>(a);
}

}  // namespace

void embedding_forward(const EmbeddingForwardArgs& a) {
  if (a.shape.dtype == DType::f64) return gather_as<double>(a);
  gather_as<float>(a);
}

int64_t embedding_backward_scratch(const EmbeddingBackwardArgs& a) {
  return (a.shape.rows + 2 + a.shape.count) * static_cast<int64_t>(sizeof(int64_t));
}

void embedding_backward(const EmbeddingBackwardArgs& a) {
  if (a.shape.dtype == DType::f64) return scatter_as<double>(a);
  scatter_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
