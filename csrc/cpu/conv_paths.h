// The implementations behind conv.cpp, one file each.
#pragma once

#include "../shapes/conv.h"

namespace dlbd::DLBD_ISA {

#define DLBD_CONV_PATH(path)                                         \
  void path##_forward(const ConvForwardArgs&);                       \
  void path##_backward_data(const ConvBackwardDataArgs&);            \
  void path##_backward_weights(const ConvBackwardWeightsArgs&);      \
  int64_t path##_forward_scratch(const ConvForwardArgs&);            \
  int64_t path##_backward_data_scratch(const ConvBackwardDataArgs&); \
  int64_t path##_backward_weights_scratch(const ConvBackwardWeightsArgs&);

DLBD_CONV_PATH(conv_tiled)
#undef DLBD_CONV_PATH

}  // namespace dlbd::DLBD_ISA
