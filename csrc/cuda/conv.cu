#include "conv_index.h"
#include "conv_paths.h"
namespace dlbd::cuda {
void conv_forward(const ConvForwardArgs& a) { conv_generic_forward(a); }
int64_t conv_forward_scratch(const ConvForwardArgs&) { return 0; }
}  // namespace dlbd::cuda
