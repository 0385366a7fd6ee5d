// Losses forward and backward: rows, weights, masks and sums around what loss_elements.h and loss_classes.h compute.
#include "../shapes/kernels.h"
#include "../shapes/losses.h"
#include "loss_classes.h"

namespace dlbd::cuda {
namespace {

// Elements of a piece where rows need not be told apart.
constexpr int64_t kPiece = 4096;
constexpr int kFinishThreads = 256;
constexpr int64_t kNoRow = INT64_MAX;

// Rows need not be told apart when nothing weighs, masks or lists them: pieces of kPiece elements take their place.
bool is_flat(const LossShape& s, bool per_row) {
  return s.kind < LossKind::softmax_cross_entropy && s.weights == 0 && s.masks == 0 && !per_row;
}
bool has_binary_labels(LossKind kind) { return kind == LossKind::hinge || kind == LossKind::squared_hinge; }

struct Rows {
  int64_t count, width, elements;
};
Rows rows_of(const LossShape& s, bool flat) {
  const int64_t elements = s.rows * s.columns;
  return flat ? Rows{ceil_div(elements, kPiece), kPiece, elements} : Rows{s.rows, s.columns, elements};
}

struct Partial {
  double loss, weight;
  int64_t rows;
  int64_t faulty;  // first row with an impossible label, or kNoRow
};

// What is known of a row before its predictions are read.
struct Row {
  bool counts, faulty;
  int64_t label;
};

template <class Args>
__device__ __forceinline__ Row row_of(const Args& a, const Rows& rows, int64_t row) {
  const LossShape& s = a.shape;
  if (row >= rows.count) return {false, false, 0};
  if (a.mask && !a.mask[serving(row, s.rows, s.masks)]) return {false, false, 0};
  if (!s.sparse) return {true, false, 0};
  const ClassLabel label = class_label(a.labels, s.label_dtype, row);
  if (s.has_ignored && label.index == s.ignored) return {false, false, 0};
  const bool possible = label.whole && label.index >= 0 && label.index < s.columns;
  return {possible, !possible, label.index};
}

template <class T, class Args>
__device__ __forceinline__ T weight_of(const Args& a, int64_t row) {
  const LossShape& s = a.shape;
  return a.weights ? static_cast<T>(number_at(a.weights, s.weight_dtype, serving(row, s.rows, s.weights))) : T(1);
}

template <class T>
__device__ __forceinline__ Span elements_of(const void* predictions, const Rows& rows, int64_t row, bool wanted) {
  const int64_t begin = wanted ? row * rows.width : 0, end = begin + rows.width;
  return span_of(static_cast<const T*>(predictions), begin,
                 wanted ? (end < rows.elements ? end : rows.elements) : begin);
}

// The statistics' first number says whether all labels of a hinge loss are 0 or 1.
template <class T>
__device__ __forceinline__ bool labels_are_binary(const LossShape& s, const void* statistics) {
  return (s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge) && s.rows > 0 &&
         static_cast<const T*>(statistics)[0] == T(1);
}

template <class T>
__global__ void suppose_binary_kernel(T* statistics) {
  statistics[0] = T(1);
}

template <class T>
__global__ void check_binary_kernel(LossShape s, const void* labels, T* statistics) {
  for (int64_t i = global_thread(); i < s.rows * s.columns; i += global_threads()) {
    const double t = number_at(labels, s.label_dtype, i);
    if (t != 0 && t != 1) statistics[0] = T(0);
  }
}

// Results from the sums over all rows; by one thread.
template <class T>
__device__ void finish(const LossForwardArgs& a, const Partial& all) {
  const LossShape& s = a.shape;
  const double rows = static_cast<double>(all.rows);
  const double count = s.counting == LossCount::one ? 1 : (s.counting == LossCount::rows ? rows : all.weight);
  if (a.total) *static_cast<T*>(a.total) = static_cast<T>(all.loss);
  if (a.mean) *static_cast<T*>(a.mean) = count != 0 ? static_cast<T>(all.loss / count) : T(0);
  *static_cast<T*>(a.count) = static_cast<T>(count);
  if (all.faulty == kNoRow) return;
  const ClassLabel label = class_label(a.labels, s.label_dtype, all.faulty);
  const Fault fault = label.whole ? Fault::label_out_of_range : Fault::label_not_whole;
  using Word = unsigned long long;
  if (atomicCAS(reinterpret_cast<Word*>(&a.status->code), Word{0}, static_cast<Word>(fault)) != 0) return;
  a.status->value = label.whole ? label.index : __double_as_longlong(label.given);
  a.status->limit = s.columns;
  a.status->where = all.faulty;
}

// The first thread gets the sum over the block.
__device__ __forceinline__ Partial add_block(const Partial& p, TeamSlots& slots) {
  const Team block{static_cast<int>(blockDim.x)};
  return {reduce_team(p.loss, Plus(), block, slots), reduce_team(p.weight, Plus(), block, slots),
          reduce_team(p.rows, Plus(), block, slots), reduce_team(p.faulty, Smaller(), block, slots)};
}

template <class T, class Kind>
__global__ void __launch_bounds__(kMostWalkers)
    forward_kernel(LossForwardArgs a, Rows rows, bool flat, RowSplit split) {
  TeamSlots& slots = shared<TeamSlots>();
  const LossShape& s = a.shape;
  const Team team = split.team;
  const Target<T> target = target_of<T>(s, labels_are_binary<T>(s, a.statistics));
  T* losses = static_cast<T*>(a.losses);
  Partial part{0, 0, 0, kNoRow};
  for (int64_t pass = 0; pass < split.passes; ++pass) {
    const int64_t row = (blockIdx.x * split.passes + pass) * team.count() + team.number();
    const Row r = row_of(a, rows, row);
    const Span span = elements_of<T>(a.predictions, rows, row, r.counts);
    T* statistics = static_cast<T*>(a.statistics) + row * kLossStatistics;
    double loss = Kind::template loss<T>(a, span, r.label, target, team, slots, statistics);
    if (team.rank() != 0 || row >= rows.count) continue;
    if (r.counts) {
      const double weight = static_cast<double>(weight_of<T>(a, row));
      loss *= weight;
      part.loss += loss, part.weight += weight, part.rows += 1;
    }
    if (r.faulty && row < part.faulty) part.faulty = row;
    if (losses) losses[row] = r.counts ? static_cast<T>(loss) : T(0);
  }
  part = add_block(part, slots);
  if (threadIdx.x != 0) return;
  if (gridDim.x > 1) {
    static_cast<Partial*>(a.scratch)[blockIdx.x] = part;
    return;
  }
  if (flat) part.rows = s.rows, part.weight = static_cast<double>(s.rows);
  finish<T>(a, part);
}

template <class T>
__global__ void __launch_bounds__(kFinishThreads) finish_kernel(LossForwardArgs a, int partials, bool flat) {
  TeamSlots& slots = shared<TeamSlots>();
  const Partial* given = static_cast<const Partial*>(a.scratch);
  Partial sum{0, 0, 0, kNoRow};
  for (int i = static_cast<int>(threadIdx.x); i < partials; i += kFinishThreads) {
    sum.loss += given[i].loss, sum.weight += given[i].weight, sum.rows += given[i].rows;
    sum.faulty = given[i].faulty < sum.faulty ? given[i].faulty : sum.faulty;
  }
  sum = add_block(sum, slots);
  if (threadIdx.x != 0) return;
  if (flat) sum.rows = a.shape.rows, sum.weight = static_cast<double>(a.shape.rows);
  finish<T>(a, sum);
}

template <class T, class Kind>
__global__ void __launch_bounds__(kMostWalkers) backward_kernel(LossBackwardArgs a, Rows rows, Team team) {
  const LossShape& s = a.shape;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  if (row >= rows.count) return;
  const Row r = row_of(a, rows, row);
  if (!r.counts && a.accumulate) return;
  T scale = 0;
  if (r.counts) {
    scale = static_cast<const T*>(a.dy)[a.dy_per_row ? row : 0] * weight_of<T>(a, row);
    if (a.count) {
      const T count = *static_cast<const T*>(a.count);
      scale *= count != T(0) ? T(1) / count : T(0);
    }
    if (s.kind < LossKind::softmax_cross_entropy) scale *= static_cast<T>(element_share(s));
  }
  const Target<T> target = target_of<T>(s, labels_are_binary<T>(s, a.statistics));
  const T* statistics = static_cast<const T*>(a.statistics) + row * kLossStatistics;
  T* dx = static_cast<T*>(a.dpredictions);
  const Span span = elements_of<T>(a.predictions, rows, row, true);
  const int64_t step = team.size * kLanes<T>;
#pragma unroll 2
  for (int64_t at = span.first + team.rank() * kLanes<T>; at < span.end; at += step) {
    Pack<T> g{};
    if (r.counts) g = Kind::template gradient<T>(a, span, r.label, target, at, statistics, scale);
    if (a.accumulate) {
      const Pack<T> before = load_span(dx, at, span);
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) g.v[i] += before.v[i];
    }
    store_span(dx, at, span, g);
  }
}

template <class T, class Kind>
void launch_forward(const LossForwardArgs& a) {
  const LossShape& s = a.shape;
  const bool flat = is_flat(s, a.losses != nullptr);
  const Rows rows = rows_of(s, flat);
  const RowSplit split = split_rows(rows.count, team_for(packs_of<T>(rows.width, a.predictions)));
  launch(forward_kernel<T, Kind>, Grid{split.blocks, threads_for(split.team), sizeof(TeamSlots)}, stream_of(a), a, rows,
         flat, split);
  if (split.blocks != 1)
    launch(finish_kernel<T>, Grid{1, kFinishThreads, sizeof(TeamSlots)}, stream_of(a), a, split.blocks, flat);
}

template <class T, class Kind>
void launch_backward(const LossBackwardArgs& a) {
  const Rows rows = rows_of(a.shape, is_flat(a.shape, a.dy_per_row));
  const Team team = team_for(packs_of<T>(rows.width, a.predictions));
  launch(backward_kernel<T, Kind>, Grid{blocks_of_teams(rows.count, team), threads_for(team)}, stream_of(a), a, rows,
         team);
}

// Calls f with the dtype and the row loss of a shape.
template <class F>
void with_kind(const LossShape& s, const F& f) {
  with_float(s.dtype, [&](auto zero) {
    switch (s.kind) {
      case LossKind::softmax_cross_entropy: return f(zero, SoftmaxRow());
      case LossKind::categorical_cross_entropy: return f(zero, CategoricalRow());
      case LossKind::cosine_similarity: return f(zero, CosineRow());
      default: return f(zero, ElementRow());
    }
  });
}

}  // namespace

int64_t loss_forward_scratch(const LossForwardArgs&) { return kMostPartials * static_cast<int64_t>(sizeof(Partial)); }

void loss_forward(const LossForwardArgs& a) {
  const LossShape& s = a.shape;
  with_kind(s, [&](auto zero, auto kind) {
    using T = decltype(zero);
    if (has_binary_labels(s.kind) && s.rows > 0) {
      T* statistics = static_cast<T*>(a.statistics);
      launch(suppose_binary_kernel<T>, Grid{1, 1}, stream_of(a), statistics);
      const int64_t blocks = ceil_div(s.rows * s.columns, kTeamsThreads);
      launch(check_binary_kernel<T>, Grid{blocks_for(blocks), kTeamsThreads}, stream_of(a), s, a.labels, statistics);
    }
    launch_forward<T, decltype(kind)>(a);
  });
}

void loss_backward(const LossBackwardArgs& a) {
  with_kind(a.shape, [&](auto zero, auto kind) { launch_backward<decltype(zero), decltype(kind)>(a); });
}

}  // namespace dlbd::cuda
