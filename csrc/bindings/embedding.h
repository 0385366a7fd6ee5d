// Bindings of the embedding family, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/embedding.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_embedding(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<EmbeddingShape>(m, "EmbeddingShape", py::module_local())
      .def(py::init(&make_embedding_shape), "count"_a, "rows"_a, "columns"_a, "dtype"_a, "index_dtype"_a);

  m.def(
      "embedding_forward",
      [](const EmbeddingShape& s, In indices, In table, Out y) {
        indices.expect("embedding", "indices", s.index_dtype, s.count);
        table.expect("embedding", "table", s.dtype, s.rows * s.columns);
        y.expect("embedding", "y", s.dtype, s.count * s.columns);
        EmbeddingForwardArgs args{};
        args.shape = s, args.indices = indices.data, args.table = table.data, args.y = y.data;
        Backend::launch(Backend::kernels().embedding_forward, args, indices, table, y);
      },
      "shape"_a, "indices"_a, "table"_a, "y"_a);

  m.def(
      "embedding_backward",
      [](const EmbeddingShape& s, In indices, In dy, Out dtable, bool accumulate) {
        indices.expect("embedding", "indices", s.index_dtype, s.count);
        dy.expect("embedding", "dy", s.dtype, s.count * s.columns);
        dtable.expect("embedding", "dtable", s.dtype, s.rows * s.columns);
        EmbeddingBackwardArgs args{};
        args.shape = s, args.indices = indices.data, args.dy = dy.data, args.dtable = dtable.data;
        args.accumulate = accumulate;
        Backend::launch(Backend::kernels().embedding_backward, args, indices, dy, dtable);
      },
      "shape"_a, "indices"_a, "dy"_a, "dtable"_a, "accumulate"_a);
}

}  // namespace dlbd
