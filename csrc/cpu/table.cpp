// Compiled once per instruction set, like the kernels: their table.
#include "../shapes/kernels.h"
#include "simd.h"

#define DLBD_QUOTE_(x) #x
#define DLBD_QUOTE(x) DLBD_QUOTE_(x)

namespace dlbd::DLBD_ISA {

#define DLBD_ROW_X(name, Args) {name, name##_scratch},
#define DLBD_ROW_Y(name, Args) {name, nullptr},
const KernelTable table = {DLBD_QUOTE(DLBD_ISA), kVectorBytes, DLBD_KERNELS(DLBD_ROW_X, DLBD_ROW_Y)};

}  // namespace dlbd::DLBD_ISA
