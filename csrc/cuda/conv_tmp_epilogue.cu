#include "../shapes/kernels.h"
#include "scalar_math.h"
#include "vector.h"
namespace dlbd::cuda {
namespace {
template <class T>
__global__ void kernel(EpilogueBackwardArgs a) {
  const T* dy = (const T*)a.dy; const T* y = (const T*)a.y; T* dz = (T*)a.dz; T* db = (T*)a.db;
  for (int64_t j = global_thread(); j < a.columns; j += global_threads()) {
    T sum = 0;
    for (int64_t r = 0; r < a.rows; ++r) {
      T g = dy[r * a.columns + j];
      if (y) g = activation_gradient(a.activation, y[r * a.columns + j], g);
      if (dz) dz[r * a.columns + j] = g;
      sum += g;
    }
    if (db) db[j] = a.accumulate ? db[j] + sum : sum;
  }
}
}
void epilogue_backward(const EpilogueBackwardArgs& a) {
  with_float(a.dtype, [&](auto z) { launch(kernel<decltype(z)>, {blocks_for(ceil_div(a.columns, 64)), 64}, stream_of(a), a); });
}
int64_t epilogue_backward_scratch(const EpilogueBackwardArgs&) { return 0; }
}
