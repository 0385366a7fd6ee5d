// A product of a convolution that is never laid out: rows are gathered from an image, columns are the filters of a
// factor that lies as a matrix. Forward gathers pixels and multiplies by the kernel; the way back to the kernel gathers
// the channels of the taps and multiplies by dy.
#pragma once

#include "conv_gather.h"
#include "conv_plan.h"

namespace dlbd::cuda {

struct ConvProduct {
  Gather gather;
  const float *image, *matrix;
  TileOutput out;
  int64_t split_stride;  // between the sums of the splits
  int filters;           // of a group
  int pitch;             // filters of all groups
  int chunk;             // of the depth, per split
  bool packed;           // quads of the matrix
};

template <class Tile, class Rows>
struct ConvOperands {
  const Gather& g;
  Rows rows;
  DenseColumns<Tile> columns;

  __device__ explicit ConvOperands(const Gather& gather) : g(gather) {}

  __device__ __forceinline__ void load(int slab, int left) { rows.load(g, slab, left), columns.load(slab, left); }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& a, typename TileShared<Tile>::B& b) const {
    rows.store(a), columns.store(b);
  }
};

// Blocks: tiles, groups, splits.
template <class Tile, class Rows>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) product_kernel(const __grid_constant__ ConvProduct p) {
  auto& memory = shared<TileShared<Tile>>();
  const Gather& g = p.gather;
  const int group = static_cast<int>(blockIdx.y), split = static_cast<int>(blockIdx.z), rows = Rows::count(g);
  const TileIndex index = tile_index((rows + Tile::M - 1) / Tile::M, (p.filters + Tile::N - 1) / Tile::N);
  const int first = split * p.chunk, row = index.m * Tile::M, column = index.n * Tile::N;
  const int left = Rows::depth(g) - first < p.chunk ? Rows::depth(g) - first : p.chunk;
  for (int i = static_cast<int>(threadIdx.x); i < Tile::M; i += Tile::kThreads)
    memory.place[i] = row + i < rows ? static_cast<int64_t>(row + i) * p.pitch : -1;

  const int64_t first_filter = static_cast<int64_t>(group) * p.filters + column;
  ConvOperands<Tile, Rows> operands{g};
  operands.rows.begin(g, p.image + group * g.channels, row, first);
  operands.columns.begin(p.matrix + static_cast<int64_t>(first) * p.pitch + first_filter, p.pitch, p.filters - column,
                         p.packed);
  Tile tile;
  tile.begin();
  sum_tile(memory, tile, operands, left);
  __syncthreads();
  TileOutput out = p.out;
  out.to += split * p.split_stride;
  store_tile(memory, tile, out, first_filter, p.filters - column);
}

// Whether the channels of a group are whole quads.
inline bool has_quads(const ConvShape& s) { return s.c / s.groups % kQuad == 0; }

// Into `out`, or where the plan has splits into scratch; `size`: elements of the output.
inline ConvProduct conv_product(const ConvShape& s, const TilePlan& plan, const void* image, const void* matrix,
                                const TileOutput& out, void* scratch, int64_t size) {
  const bool packed = s.k / s.groups % kQuad == 0;
  ConvProduct p{};
  p.gather = forward_gather(s, image);
  p.image = static_cast<const float*>(image), p.matrix = static_cast<const float*>(matrix);
  p.filters = static_cast<int>(s.k / s.groups), p.pitch = static_cast<int>(s.k);
  p.chunk = static_cast<int>(plan.chunk), p.packed = packed && aligned(matrix);
  p.out = first_output(plan, out, scratch, packed), p.split_stride = size;
  return p;
}

template <class Tile, class Rows>
void launch_product(const ConvProduct& p, const TilePlan& plan, int64_t rows, int64_t groups, cudaStream_t stream) {
  const int64_t tiles = ceil_div(rows, Tile::M) * ceil_div(p.filters, Tile::N);
  launch(product_kernel<Tile, Rows>,
         {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(groups), static_cast<unsigned>(plan.splits)),
          Tile::kThreads, sizeof(TileShared<Tile>)},
         stream, p);
}

}  // namespace dlbd::cuda
