// Bindings of sorting and searching.
#pragma once

#include <pybind11/pybind11.h>

#include <limits>

#include "../shapes/checked.h"
#include "../shapes/sort.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_sort(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

  m.def(
      "sort_order",
      [](int64_t rows, int64_t n, In x, Out order, bool descending) {
        if (rows < 0 || n < 0 || n > kMost) throw py::value_error("[sort] rows must have 0 to 2^31 - 1 elements");
        x.expect("sort", "x", x.dtype, checked_mul(rows, n, "[sort] rows * n"));
        const int64_t k = rows == 0 ? 0 : order.size / rows;
        order.expect("sort", "order", DType::i32, rows * k);
        if (k > n) throw py::value_error("[sort] there are fewer elements than were asked for");
        SortOrderArgs args{};
        args.rows = rows, args.n = n, args.k = k, args.dtype = x.dtype, args.descending = descending;
        args.x = x.data, args.order = static_cast<int32_t*>(order.data);
        Backend::launch(Backend::kernels().sort_order, args, x, order);
      },
      "rows"_a, "n"_a, "x"_a, "order"_a, "descending"_a);

  m.def(
      "search_sorted",
      [](In sorted, In values, Out places, bool right) {
        if (sorted.size > kMost) throw py::value_error("[searchsorted] more than 2^31 - 1 elements");
        values.expect("searchsorted", "values", sorted.dtype, places.size);
        places.expect("searchsorted", "places", DType::i32, values.size);
        SearchSortedArgs args{};
        args.n = sorted.size, args.count = values.size, args.dtype = sorted.dtype, args.right = right;
        args.sorted = sorted.data, args.values = values.data, args.places = static_cast<int32_t*>(places.data);
        Backend::launch(Backend::kernels().search_sorted, args, sorted, values, places);
      },
      "sorted"_a, "values"_a, "places"_a, "right"_a);
}

}  // namespace dlbd
