// The machine's own limits, measured with the instructions that the kernels use.
#include "../shapes/measure.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {

void measure_fma_peak(const MeasureFmaArgs& args) {
  parallel_for(args.threads, args.chunks, 1, [&](int64_t chunk, int64_t, int) {
    // Latency 4 or 5 times two units needs at least 10 sums in flight; 12 fit into 16 registers.
    constexpr int kSums = 12;
    Vec<float> sum[kSums];
    for (int i = 0; i < kSums; ++i) sum[i] = splat(static_cast<float>(i));
    Vec<float> a = splat(0.5f), b = splat(0.25f);
    for (int64_t step = 0; step < args.steps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kSums; ++i) sum[i] = sum[i] * a + b;
      asm("" : "+x"(a), "+x"(b));
    }
    Vec<float> total{};
    for (int i = 0; i < kSums; ++i) total += sum[i];
    args.sums[chunk] = reduce_add<float>(total);
  });
}

void measure_copy(const MeasureCopyArgs& args) {
  constexpr int64_t kGrain = 1 << 20;  // bytes; long enough for the copy's streaming stores
  parallel_for(args.threads, args.bytes, kGrain, [&](int64_t begin, int64_t end, int) {
    __builtin_memcpy(static_cast<char*>(args.y) + begin, static_cast<const char*>(args.x) + begin,
                     static_cast<size_t>(end - begin));
  });
}

}  // namespace dlbd::DLBD_ISA
