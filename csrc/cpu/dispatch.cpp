// Picks one of the per-ISA kernel tables, once, by what the processor says of itself; DLBD_ISA forces one.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "../shapes/kernels.h"

namespace dlbd {

namespace baseline {
extern const KernelTable table;
}
namespace v3 {
extern const KernelTable table;
}
namespace v4 {
extern const KernelTable table;
}

namespace {

struct Candidate {
  const KernelTable* table;
  bool supported;
};

const KernelTable& choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // GCC 11's __builtin_cpu_supports does not know the level names: ask for what the levels add that we use.
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  [[maybe_unused]] const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                                   __builtin_cpu_supports("avx512cd");
#endif
  const Candidate candidates[] = {
#ifdef DLBD_HAS_v4
      {&v4::table, v4},
#endif
#ifdef DLBD_HAS_v3
      {&v3::table, v3},
#endif
#ifdef DLBD_HAS_baseline
      {&baseline::table, true},
#endif
  };
  const char* forced = std::getenv("DLBD_ISA");
  const bool free = forced == nullptr || *forced == '\0';
  std::string names;
  for (const Candidate& c : candidates) {
    if (!c.supported) continue;
    if (free || std::string(c.table->isa) == forced) return *c.table;
    names += names.empty() ? c.table->isa : std::string(", ") + c.table->isa;
  }
  if (free) throw std::runtime_error("this build of dlbd has no kernels that this processor runs");
  throw std::runtime_error("DLBD_ISA=" + std::string(forced) + " is not one of what this processor runs: " + names);
}

}  // namespace

const KernelTable& kernels() {
  static const KernelTable& chosen = choose();
  return chosen;
}

}  // namespace dlbd
