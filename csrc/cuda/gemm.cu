// C = act(op(A) op(B) + bias): which kernel computes it.
#include "../shapes/kernels.h"
#include "gemm_plan.h"
#include "mma.h"

namespace dlbd::cuda {
namespace {

// float64, for checks of gradients: a tile of C per block, 4 x 4 elements per thread.
constexpr int kTile = 64, kDepth = 16, kSide = 16, kPer = kTile / kSide;

struct DoubleTiles {
  double a[kDepth][kTile + 1];  // + 1: a column of the tile lies in as many banks
  double b[kDepth][kTile + 1];
};

__global__ void __launch_bounds__(kSide* kSide) gemm_double_kernel(GemmArgs args) {
  const GemmShape& s = args.shape;
  DoubleTiles& tiles = shared<DoubleTiles>();
  const int tid = static_cast<int>(threadIdx.x), tx = tid % kSide, ty = tid / kSide;
  const TileIndex tile = tile_index<kTile>(s.m);
  const int64_t i0 = int64_t{tile.m} * kTile, j0 = int64_t{tile.n} * kTile;
  const auto e = epilogue_of<double>(args);
  const int64_t a_row = s.trans_a ? 1 : s.k, a_step = s.trans_a ? s.m : 1;
  const int64_t b_row = s.trans_b ? 1 : s.n, b_column = s.trans_b ? s.k : 1;
  for (int64_t batch = blockIdx.z; batch < s.batch; batch += gridDim.z) {
    const double* a = static_cast<const double*>(args.a) + batch * s.a_stride;
    const double* b = static_cast<const double*>(args.b) + batch * s.b_stride;
    double* c = static_cast<double*>(args.c) + batch * s.c_stride;
    double sum[kPer][kPer] = {};
    for (int64_t p0 = 0; p0 < s.k; p0 += kDepth) {
      for (int x = tid; x < kTile * kDepth; x += kSide * kSide) {
        const int row = s.trans_a ? x % kTile : x / kDepth, p = s.trans_a ? x / kTile : x % kDepth;
        const bool inside = i0 + row < s.m && p0 + p < s.k;
        tiles.a[p][row] = inside ? a[(i0 + row) * a_row + (p0 + p) * a_step] : 0.0;
        const int column = s.trans_b ? x / kDepth : x % kTile, q = s.trans_b ? x % kDepth : x / kTile;
        const bool within = j0 + column < s.n && p0 + q < s.k;
        tiles.b[q][column] = within ? b[(p0 + q) * b_row + (j0 + column) * b_column] : 0.0;
      }
      __syncthreads();
#pragma unroll 4
      for (int p = 0; p < kDepth; ++p)
#pragma unroll
        for (int i = 0; i < kPer; ++i)
#pragma unroll
          for (int j = 0; j < kPer; ++j) sum[i][j] += tiles.a[p][ty + i * kSide] * tiles.b[p][tx + j * kSide];
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i)
#pragma unroll
      for (int j = 0; j < kPer; ++j) {
        const int64_t row = i0 + ty + i * kSide, column = j0 + tx + j * kSide;
        if (row < s.m && column < s.n) store_one(e, c + row * s.n + column, column, sum[i][j]);
      }
    if (in_registers(e)) continue;
#pragma unroll 1
    for (int i = 0; i < kPer * kPer; ++i) {
      const int64_t row = i0 + ty + i / kPer * kSide, column = j0 + tx + i % kPer * kSide;
      if (row < s.m && column < s.n) c[row * s.n + column] = activate(e.activation, c[row * s.n + column]);
    }
  }
}

Factor factor(const void* data, int64_t stride, int64_t rows, int64_t k, bool rows_contiguous) {
  Factor f{static_cast<const float*>(data), stride, rows_contiguous ? rows : k, rows_contiguous, false};
  if (rows == 1) f.pitch = k, f.rows_contiguous = false;  // either way it is k numbers
  f.packed = aligned(f.data) && f.pitch % 4 == 0 && f.stride % 4 == 0;
  return f;
}

Product product(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  Product p{};
  p.a = factor(args.a, s.a_stride, s.m, s.k, s.trans_a), p.b = factor(args.b, s.b_stride, s.n, s.k, !s.trans_b);
  p.c = static_cast<float*>(args.c), p.c_stride = s.c_stride;
  p.batch = s.batch, p.m = s.m, p.n = s.n, p.k = p.chunk = s.k;
  p.epilogue = epilogue_of<float>(args);
  p.packed_c = aligned(p.c, p.epilogue.bias) && s.n % 4 == 0 && s.c_stride % 4 == 0;
  return p;
}

// Of SimtTile. A thread's 8 x 8 sums take 4 packs of shared memory per 64 multiply-adds, 4 x 4 take 2 per 16.
constexpr TileCost kSimtTiles[] = {
    {128, 128, 2, 115, 110}, {128, 64, 4, 110, 110}, {64, 64, 4, 95, 60},
    {32, 32, 8, 60, 45},     {16, 128, 5, 60, 45},   {128, 16, 5, 60, 45},
};
// Of MmaTile. mma.sync reaches three fifths of the tensor cores' peak, 2048 multiply-adds per cycle for 16 bits and
// half of it for tf32.
constexpr TileCost kSixteenBitTiles[] = {{128, 128, 2, 1000, 16}, {64, 64, 3, 700, 16}, {128, 256, 1, 1200, 16}};
constexpr TileCost kTf32Tiles[] = {{128, 128, 2, 550, 30}, {64, 64, 3, 400, 30}};
constexpr TileCost kTf32x3Tiles[] = {{128, 128, 1, 170, 50}, {64, 64, 3, 140, 50}};

// Tensor cores compute products from this many multiply-adds on, with no size less than kLeastSize: below, copying the
// factors costs more than is gained.
constexpr int64_t kTensorCoreWork = 1 << 21, kLeastSize = 32;

bool on_tensor_cores(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  return args.precision != MatmulPrecision::f32 && device().capability >= kTensorCoreCapability && s.m >= kLeastSize &&
         s.n >= kLeastSize && s.k >= kLeastSize && s.batch * s.m * s.n * s.k >= kTensorCoreWork;
}

bool sixteen_bits(MatmulPrecision p) { return p == MatmulPrecision::bf16 || p == MatmulPrecision::fp16; }

Plan plan_of(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  const auto plan = [&](const auto& tiles) { return cheapest(tiles, s.batch, s.m, s.n, s.k); };
  if (!on_tensor_cores(args)) return plan(kSimtTiles);
  if (sixteen_bits(args.precision)) return plan(kSixteenBitTiles);
  return args.precision == MatmulPrecision::tf32 ? plan(kTf32Tiles) : plan(kTf32x3Tiles);
}

// Scratch memory: the partial sums of the splits, then the factors as tensor cores want them.
constexpr int64_t kScratchUnit = 64;
int64_t rounded_up(int64_t bytes) { return ceil_div(bytes, kScratchUnit) * kScratchUnit; }

int64_t partial_bytes(const GemmShape& s, const Plan& plan) {
  return plan.splits > 1 ? rounded_up(plan.splits * s.batch * s.m * s.n * static_cast<int64_t>(sizeof(float))) : 0;
}

constexpr int64_t kPitchUnit = 8;  // numbers: 16 bytes of 16-bit numbers

Preparation preparation(const GemmArgs& args, const Factor& f, int64_t rows) {
  const GemmShape& s = args.shape;
  return {f, nullptr, f.stride == 0 ? 1 : s.batch, rows, s.k, ceil_div(s.k, kPitchUnit) * kPitchUnit};
}
// Whether the factor can stay where it is depends on its address too; the room for its copy does not.
bool stays(const GemmArgs& args, const Factor& f) {
  return !sixteen_bits(args.precision) && !f.rows_contiguous && f.packed;
}
int64_t copy_bytes(const GemmArgs& args, const Preparation& p) {
  return rounded_up(p.matrices * p.rows * p.pitch * (sixteen_bits(args.precision) ? 2 : 4));
}

void prepare(const GemmArgs& args, Product& p, char* scratch) {
  Preparation a = preparation(args, p.a, p.m), b = preparation(args, p.b, p.n);
  const auto take = [&](Preparation& copy, Factor& f, void* to) {
    if (stays(args, f)) return;
    copy.to = to;
    f = {static_cast<const float*>(to), copy.matrices > 1 ? copy.rows * copy.pitch : 0, copy.pitch, false, true};
  };
  take(a, p.a, scratch), take(b, p.b, scratch + copy_bytes(args, a));
  launch_prepare(a, b, args.precision, stream_of(args));
}

// The product that the kernels compute: C itself, or the partial sums of its splits.
Product with_splits(const Product& p, const Plan& plan, void* partial) {
  Product q = p;
  q.chunk = plan.chunk;
  if (plan.splits == 1) return q;
  q.c = static_cast<float*>(partial), q.c_stride = p.m * p.n, q.split_stride = p.batch * p.m * p.n;
  q.epilogue = unfinished<float>(false);
  q.packed_c = p.n % 4 == 0;
  return q;
}

}  // namespace

int64_t gemm_scratch(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  if (s.dtype == DType::f64) return 0;
  const int64_t partial = partial_bytes(s, plan_of(args));
  if (!on_tensor_cores(args)) return partial;
  const Product p = product(args);
  return partial + copy_bytes(args, preparation(args, p.a, p.m)) + copy_bytes(args, preparation(args, p.b, p.n));
}

void gemm(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  if (s.batch == 0 || s.m == 0 || s.n == 0) return;
  const Product p = product(args);
  const cudaStream_t stream = stream_of(args);
  if (s.dtype == DType::f64)
    return launch(gemm_double_kernel, tile_grid(p, kTile, kTile, kSide * kSide, sizeof(DoubleTiles)), stream, args);
  const Plan plan = plan_of(args);
  Product q = with_splits(p, plan, args.scratch);
  if (on_tensor_cores(args)) {
    prepare(args, q, static_cast<char*>(args.scratch) + partial_bytes(s, plan));
    launch_mma(q, args.precision, static_cast<MmaTile>(plan.tile), stream);
  } else {
    launch_simt(q, static_cast<SimtTile>(plan.tile), stream);
  }
  if (plan.splits > 1) launch_add_splits(p, static_cast<const float*>(args.scratch), plan.splits, stream);
}

}  // namespace dlbd::cuda
