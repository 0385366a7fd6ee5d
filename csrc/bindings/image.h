// Bindings of operations on images, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "../shapes/image.h"

namespace dlbd {

namespace py = pybind11;

inline Interpolation interpolation_named(const std::string& name) {
  if (name == "nearest") return Interpolation::nearest;
  if (name == "bilinear") return Interpolation::bilinear;
  throw py::value_error("[affine_transform] no interpolation named '" + name + "'");
}

inline Outside outside_named(const std::string& name) {
  constexpr const char* names[] = {"constant", "nearest", "reflect", "wrap"};
  for (size_t i = 0; i < std::size(names); ++i)
    if (name == names[i]) return static_cast<Outside>(i);
  throw py::value_error("[affine_transform] no fill_mode named '" + name + "'");
}

template <class Backend>
void bind_image(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<ImageShape>(m, "ImageShape", py::module_local())
      .def(py::init(&make_image_shape), "batch"_a, "height"_a, "width"_a, "channels"_a, "dtype"_a);

  m.def(
      "affine_sample",
      [](const ImageShape& s, const std::string& interpolation, const std::string& outside, double fill_value, In x,
         In transform, Out y) {
        const int64_t size = s.batch * s.height * s.width * s.channels;
        x.expect("affine_transform", "x", s.dtype, size);
        transform.expect("affine_transform", "transform", s.dtype, s.batch * kTransformNumbers);
        y.expect("affine_transform", "y", s.dtype, size);
        AffineSampleArgs args{};
        args.shape = s, args.fill_value = fill_value;
        args.interpolation = interpolation_named(interpolation), args.outside = outside_named(outside);
        args.x = x.data, args.transform = transform.data, args.y = y.data;
        Backend::launch(Backend::kernels().affine_sample, args, x, transform, y);
      },
      "shape"_a, "interpolation"_a, "outside"_a, "fill_value"_a, "x"_a, "transform"_a, "y"_a);
}

}  // namespace dlbd
