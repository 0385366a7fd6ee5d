// Attention on tensor cores, with products rounded as args.precision says.
#pragma once

#include "../shapes/attention.h"

namespace dlbd::cuda {

// Whether the device, the sizes and the precision asked for take this path.
bool tensor_attention(const AttentionForwardArgs&);
bool tensor_attention(const AttentionBackwardArgs&);

int64_t tensor_forward_scratch(const AttentionForwardArgs&);
void tensor_forward(const AttentionForwardArgs&);

// `delta` is rowsum(dY Y), (B, H, Tq); the scratch memory starts after it.
int64_t tensor_backward_scratch(const AttentionBackwardArgs&);
void tensor_backward(const AttentionBackwardArgs&, const float* delta, void* scratch);

}  // namespace dlbd::cuda
