#include "conv_index.h"
#include "conv_paths.h"
namespace dlbd::cuda {
void conv_backward_data(const ConvBackwardDataArgs& a) { conv_generic_backward_data(a); }
int64_t conv_backward_data_scratch(const ConvBackwardDataArgs&) { return 0; }
}  // namespace dlbd::cuda
