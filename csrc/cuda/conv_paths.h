// The implementations behind conv.cu, conv_backward_data.cu and conv_backward_weights.cu.
#pragma once

#include "../shapes/kernels.h"

namespace dlbd::cuda {

void conv_generic_forward(const ConvForwardArgs&);
void conv_generic_backward_data(const ConvBackwardDataArgs&);
void conv_generic_backward_weights(const ConvBackwardWeightsArgs&);  // dw of args.dy alone

}  // namespace dlbd::cuda
