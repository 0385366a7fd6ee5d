// The implementations behind conv.cu, conv_backward_data.cu and conv_backward_weights.cu.
#pragma once

#include "../shapes/kernels.h"

namespace dlbd::cuda {

void conv_generic_forward(const ConvForwardArgs&);
void conv_generic_backward_data(const ConvBackwardDataArgs&);
void conv_generic_backward_weights(const ConvBackwardWeightsArgs&);  // dw of args.dy alone

// These take shapes of the path depthwise that conv_is_fast(), the way back to the data those that has_few_phases().
void conv_depthwise_forward(const ConvForwardArgs&);
void conv_depthwise_backward_data(const ConvBackwardDataArgs&);
void conv_depthwise_backward_weights(const ConvBackwardWeightsArgs&);  // dw of args.dy alone
int64_t conv_depthwise_backward_weights_scratch(const ConvBackwardWeightsArgs&);

}  // namespace dlbd::cuda
