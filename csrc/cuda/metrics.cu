// Metrics: how many predictions are right, averaged into two doubles.
#include "../shapes/kernels.h"
#include "../shapes/metrics.h"
#include "loss_labels.h"

namespace dlbd::cuda {
namespace {

constexpr int kFinishThreads = 256;

struct Best {
  double value;
  int64_t index;
};

// The larger, and the first of equals; a NaN counts as the largest, as in NumPy.
__device__ __forceinline__ Best better(const Best& a, const Best& b) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan ? a : b;
  if (!a_nan && a.value != b.value) return a.value > b.value ? a : b;
  return a.index < b.index ? a : b;
}

// Every thread of the team gets the index in the row.
__device__ int64_t argmax(const void* p, DType dtype, int64_t at, int64_t n, Team team, TeamSlots& slots) {
  Best best{-__builtin_huge_val(), INT64_MAX};
  for (int64_t i = team.rank(); i < n; i += team.size) best = better(best, {number_at(p, dtype, at + i), i});
  const double value = reduce_team(best.value, Larger(), team, slots);
  const bool mine = best.value == value || (best.value != best.value && value != value);
  const int64_t index = reduce_team(mine ? best.index : INT64_MAX, Smaller(), team, slots);
  return index < n ? index : 0;
}

template <class F>
__device__ __forceinline__ int64_t count_row(int64_t n, Team team, TeamSlots& slots, const F& counts) {
  int64_t found = 0;
  for (int64_t i = team.rank(); i < n; i += team.size) found += counts(i) ? 1 : 0;
  return reduce_team(found, Plus(), team, slots);
}

// Of no row if n is 0: its threads take part all the same.
__device__ double row_value(const MetricArgs& a, int64_t row, int64_t n, Team team, TeamSlots& slots) {
  const MetricShape& s = a.shape;
  const int64_t at = row * s.columns;
  const auto label = [&](int64_t i) { return number_at(a.labels, s.label_dtype, i); };
  const auto prediction = [&](int64_t i) { return number_at(a.predictions, s.dtype, i); };
  switch (s.kind) {
    case MetricKind::value: return n > 0 ? prediction(row) : 0;
    case MetricKind::equal:
      return static_cast<double>(
                 count_row(n, team, slots, [&](int64_t i) { return label(at + i) == prediction(at + i); })) /
             static_cast<double>(s.columns);
    case MetricKind::binary_accuracy:
      return static_cast<double>(
                 count_row(n, team, slots,
                           [&](int64_t i) { return label(at + i) == (prediction(at + i) > s.threshold ? 1 : 0); })) /
             static_cast<double>(s.columns);
    case MetricKind::categorical_accuracy:
      return argmax(a.labels, s.label_dtype, at, n, team, slots) == argmax(a.predictions, s.dtype, at, n, team, slots);
    case MetricKind::sparse_accuracy: {
      const int64_t said = argmax(a.predictions, s.dtype, at, n, team, slots);
      return n > 0 && label(row) == static_cast<double>(said);
    }
    case MetricKind::categorical_top_k:
    case MetricKind::sparse_top_k: {
      double wanted = -1;
      if (s.kind == MetricKind::categorical_top_k)
        wanted = static_cast<double>(argmax(a.labels, s.label_dtype, at, n, team, slots));
      else if (n > 0)
        wanted = label(row);
      const bool possible = wanted >= 0 && wanted < static_cast<double>(n);
      const double score = possible ? prediction(at + static_cast<int64_t>(wanted)) : 0;
      const int64_t above = count_row(n, team, slots, [&](int64_t i) { return !(prediction(at + i) <= score); });
      return possible && above < s.k;
    }
  }
  return 0;
}

struct Partial {
  double sum, weight;
};

// state += what one block found, by its first thread.
__device__ void add_to_state(const MetricArgs& a, const Partial& found) {
  if (a.status->code != Fault::none) return;
  a.state[0] += found.sum;
  a.state[1] += found.weight;
}

__global__ void __launch_bounds__(kMostWalkers) update_kernel(MetricArgs a, RowSplit split) {
  TeamSlots& slots = shared<TeamSlots>();
  const MetricShape& s = a.shape;
  const Team team = split.team, block{static_cast<int>(blockDim.x)};
  Partial part{0, 0};
  for (int64_t pass = 0; pass < split.passes; ++pass) {
    const int64_t row = (blockIdx.x * split.passes + pass) * team.count() + team.number();
    const bool counts = row < s.rows && (!a.mask || a.mask[serving(row, s.rows, s.masks)]);
    const double value = row_value(a, row, counts ? s.columns : 0, team, slots);
    if (!counts || team.rank() != 0) continue;
    const double weight = a.weights ? number_at(a.weights, s.weight_dtype, serving(row, s.rows, s.weights)) : 1;
    part.sum += weight * value, part.weight += weight;
  }
  part = {reduce_team(part.sum, Plus(), block, slots), reduce_team(part.weight, Plus(), block, slots)};
  if (threadIdx.x != 0) return;
  if (gridDim.x > 1)
    static_cast<Partial*>(a.scratch)[blockIdx.x] = part;
  else
    add_to_state(a, part);
}

__global__ void __launch_bounds__(kFinishThreads) finish_kernel(MetricArgs a, int partials) {
  TeamSlots& slots = shared<TeamSlots>();
  const Partial* given = static_cast<const Partial*>(a.scratch);
  Partial sum{0, 0};
  for (int i = static_cast<int>(threadIdx.x); i < partials; i += kFinishThreads)
    sum.sum += given[i].sum, sum.weight += given[i].weight;
  const Team block{kFinishThreads};
  sum = {reduce_team(sum.sum, Plus(), block, slots), reduce_team(sum.weight, Plus(), block, slots)};
  if (threadIdx.x == 0) add_to_state(a, sum);
}

__global__ void add_loss_kernel(MetricAddLossArgs a) {
  if (a.status->code != Fault::none) return;
  const double count = number_at(a.count, a.dtype, 0);
  if (count != 0) a.state[0] += a.batch * (number_at(a.sum, a.dtype, 0) / count);
  a.state[1] += a.batch;
}

}  // namespace

int64_t metric_update_scratch(const MetricArgs&) { return kMostPartials * static_cast<int64_t>(sizeof(Partial)); }

void metric_update(const MetricArgs& a) {
  const RowSplit split = split_rows(a.shape.rows, team_for(ceil_div(a.shape.columns, kAhead)));
  launch(update_kernel, Grid{split.blocks, threads_for(split.team), sizeof(TeamSlots)}, stream_of(a), a, split);
  if (split.blocks > 1)
    launch(finish_kernel, Grid{1, kFinishThreads, sizeof(TeamSlots)}, stream_of(a), a, split.blocks);
}

void metric_add_loss(const MetricAddLossArgs& a) { launch(add_loss_kernel, Grid{1, 1}, stream_of(a), a); }

}  // namespace dlbd::cuda
