// The implementations behind conv.cpp, one file each.
#pragma once

#include "../shapes/conv.h"

namespace dlbd::DLBD_ISA {

#define DLBD_CONV_PATH(path)                                    \
  void path##_forward(const ConvForwardArgs&);                  \
  void path##_backward_weights(const ConvBackwardWeightsArgs&); \
  int64_t path##_forward_scratch(const ConvForwardArgs&);       \
  int64_t path##_backward_weights_scratch(const ConvBackwardWeightsArgs&);

DLBD_CONV_PATH(conv_tiled)
DLBD_CONV_PATH(conv_direct)
DLBD_CONV_PATH(conv_depthwise)
#undef DLBD_CONV_PATH

void conv_tiled_backward_data(const ConvBackwardDataArgs&);
int64_t conv_tiled_backward_data_scratch(const ConvBackwardDataArgs&);

void conv_depthwise_backward_data(const ConvBackwardDataArgs&);
int64_t conv_depthwise_backward_data_scratch(const ConvBackwardDataArgs&);
void conv_spread_backward_data(const ConvBackwardDataArgs&);
int64_t conv_spread_backward_data_scratch(const ConvBackwardDataArgs&);

// Whether backward_weights takes dy, y and db; the other paths take dz as their dy, and dw only.
bool conv_direct_fuses_epilogue(const ConvShape&);

}  // namespace dlbd::DLBD_ISA
