#include "rnn.h"

#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kCellNames[] = {"rnn", "lstm", "gru", "gru_reset_before"};
constexpr const char* kPathNames[] = {"generic", "rows", "units"};
constexpr int64_t kGates[] = {1, 4, 3, 3};
constexpr int64_t kSaved[] = {1, 4, 4, 3};  // gru also keeps the recurrent part of its candidate

// Below this many multiply-adds a step is over before other workers have woken up.
constexpr int64_t kUnitsMinimumWork = int64_t{1} << 20;
// Bytes of packed weights that stay in a core's L2 (1 MB on the smallest that we know) beside the states.
constexpr int64_t kResidentWeights = int64_t{768} << 10;

template <size_t N>
int find(const char* const (&names)[N], const char* name, const char* what) {
  for (size_t i = 0; i < N; ++i)
    if (std::strcmp(names[i], name) == 0) return static_cast<int>(i);
  throw std::invalid_argument(std::string("[rnn] no ") + what + " named " + name);
}

RnnPath choose(const RnnShape& s) {
  if (s.dtype != DType::f32) return RnnPath::generic;
  const int64_t weights = (s.inputs + s.units) * s.columns;
  const bool large = weights * s.batch >= kUnitsMinimumWork;
  const bool few_rows = s.batch < 2 * s.row_chunk;
  return large && (few_rows || weights * 4 > kResidentWeights) ? RnnPath::units : RnnPath::rows;
}

}  // namespace

const char* name_of(RnnPath path) { return kPathNames[static_cast<int>(path)]; }

RnnShape make_rnn_shape(const char* cell, int64_t batch, int64_t steps, int64_t inputs, int64_t units, DType dtype,
                        const char* path) {
  if (batch < 0 || steps < 0 || inputs < 0 || units < 0)
    throw std::invalid_argument("[rnn] sizes must not be negative");
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[rnn] the dtype must be float32 or float64");
  RnnShape s{};
  const int c = find(kCellNames, cell, "cell");
  s.cell = static_cast<RnnCell>(c);
  s.batch = batch, s.steps = steps, s.inputs = inputs, s.units = units, s.dtype = dtype;
  s.columns = checked_mul(kGates[c], units, "[rnn] gates * units");
  s.saved = kSaved[c];
  s.bias_rows = s.cell == RnnCell::gru ? 2 : 1;
  const int64_t rows = checked_mul(batch, steps, "[rnn] batch * steps");
  // gates, h, c of each step; the work of all steps and all bytes must be countable too
  const int64_t states = s.cell == RnnCell::lstm ? 2 : 1;
  s.reserve = checked_mul(rows, checked_mul(s.saved + states, units, "[rnn] reserve"), "[rnn] reserve");
  const int64_t weights = checked_mul(checked_add(inputs, units, "[rnn] weights"), s.columns, "[rnn] weights");
  checked_mul(checked_mul(checked_add(rows, 64, "[rnn] rows"), checked_add(weights, 64, "[rnn] weights"), "[rnn] work"),
              64, "[rnn] work");
  // Small layers stream few weights per row: smaller chunks feed more workers.
  s.row_chunk = units <= 128 ? 8 : 16;
  s.path = choose(s);
  if (std::strcmp(path, "auto") == 0) return s;
  const auto forced = static_cast<RnnPath>(find(kPathNames, path, "path"));
  if (dtype != DType::f32 && forced != RnnPath::generic)
    throw std::invalid_argument("[rnn] only the generic path takes float64");
  s.path = forced;
  return s;
}

}  // namespace dlbd
