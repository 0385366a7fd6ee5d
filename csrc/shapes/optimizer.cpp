#include "optimizer.h"

#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kKinds[] = {"sgd", "adam", "rmsprop", "adagrad"};
constexpr const char* kClippings[] = {"none", "value", "norm", "global_norm"};

template <size_t N>
int32_t number_of(const char* name, const char* const (&names)[N]) {
  for (size_t i = 0; i < N; ++i)
    if (std::strcmp(name, names[i]) == 0) return static_cast<int32_t>(i);
  throw std::invalid_argument(std::string("[optimizer] nothing is named ") + name);
}

}  // namespace

OptimizerRule make_optimizer_rule(const char* kind, const char* clipping, double clip, double weight_decay,
                                  double beta_1, double beta_2, double rho, double momentum, double epsilon,
                                  bool nesterov, bool amsgrad, bool centered, int64_t accumulation) {
  OptimizerRule r{};
  r.kind = static_cast<OptimizerKind>(number_of(kind, kKinds));
  r.clipping = static_cast<Clipping>(number_of(clipping, kClippings));
  r.clip = clip, r.weight_decay = weight_decay, r.beta_1 = beta_1, r.beta_2 = beta_2, r.rho = rho;
  r.momentum = momentum, r.epsilon = epsilon, r.nesterov = nesterov, r.amsgrad = amsgrad, r.centered = centered;
  if (accumulation < 1) throw std::invalid_argument("[optimizer] accumulation must be 1 or more");
  r.accumulation = accumulation;
  return r;
}

}  // namespace dlbd
