// Kernels and vector functions against float64, from C++, for the instruction set this is compiled for.
#include <cmath>
#include <random>
#include <vector>

#include "../../csrc/cpu/vector_math.h"
#include "../../csrc/shapes/kernels.h"
#include "check.h"

using namespace dlbd;

namespace {

constexpr double kEps = 1.1920929e-7;

std::vector<double> random_values(int64_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> v(static_cast<size_t>(n));
  for (double& x : v) x = static_cast<float>(normal(engine));  // representable in both types
  return v;
}

std::vector<float> as_float(const std::vector<double>& v) { return {v.begin(), v.end()}; }

GemmArgs gemm_args(DType dtype, int64_t m, int64_t n, int64_t k, bool ta, bool tb, const void* a, const void* b,
                   void* c) {
  GemmArgs args{};
  args.threads = 2;
  args.shape = make_gemm_shape(1, m, n, k, ta, tb, false, false, dtype, "auto");
  args.a = a, args.b = b, args.c = c;
  return args;
}

template <class Args>
void run(const Kernel<Args>& kernel, Args args) {
  std::vector<char> scratch;
  if (kernel.scratch) {
    scratch.resize(static_cast<size_t>(kernel.scratch(args)) + 64);
    args.scratch = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
  }
  kernel.run(args);
}

void test_gemm() {
  const int64_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {16, 64, 33}, {33, 17, 65}, {70, 130, 300}};
  for (const auto& [m, n, k] : sizes) {
    for (int trans = 0; trans < 4; ++trans) {
      const bool ta = trans & 1, tb = trans & 2;
      const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
      const auto af = as_float(a), bf = as_float(b);
      std::vector<double> c(static_cast<size_t>(m * n));
      std::vector<float> cf(c.size());
      run(DLBD_ISA::table.gemm, gemm_args(DType::f64, m, n, k, ta, tb, a.data(), b.data(), c.data()));
      run(DLBD_ISA::table.gemm, gemm_args(DType::f32, m, n, k, ta, tb, af.data(), bf.data(), cf.data()));
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0, bound = 0;
          for (int64_t p = 0; p < k; ++p) {
            const double term =
                a[static_cast<size_t>(ta ? p * m + i : i * k + p)] * b[static_cast<size_t>(tb ? j * k + p : p * n + j)];
            sum += term, bound += std::fabs(term);
          }
          const size_t at = static_cast<size_t>(i * n + j);
          CHECK(std::fabs(c[at] - sum) <= 1e-12 * bound);
          CHECK(std::fabs(static_cast<double>(cf[at]) - sum) <= 4 * kEps * bound);
        }
    }
  }
}

// Largest distance to the float64 function, in units in the last place.
template <class F, class G>
double worst_ulp(F&& f, G&& reference, float from, float to) {
  double worst = 0;
  constexpr int kSteps = 200000;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = from + (to - from) * static_cast<float>(i) / kSteps;
    const double wanted = reference(static_cast<double>(x));
    const float rounded = std::fabs(static_cast<float>(wanted));
    const double ulp = static_cast<double>(std::nextafter(rounded, INFINITY)) - static_cast<double>(rounded);
    const auto y = f(DLBD_ISA::splat(x));
    worst = std::fmax(worst, std::fabs(static_cast<double>(y[0]) - wanted) / ulp);
  }
  return worst;
}

void test_vector_math() {
  using V = DLBD_ISA::Vec<float>;
  const auto exp = [](V x) { return DLBD_ISA::exp(x); };
  const auto tanh = [](V x) { return DLBD_ISA::tanh(x); };
  CHECK(worst_ulp(
            exp, [](double x) { return std::exp(x); }, -87.0f, 88.0f) <= 2);
  CHECK(worst_ulp(
            tanh, [](double x) { return std::tanh(x); }, -10.0f, 10.0f) <= 2);
  CHECK(worst_ulp(
            tanh, [](double x) { return std::tanh(x); }, -0.1f, 0.1f) <= 2);
  CHECK(std::isnan(exp(DLBD_ISA::splat(NAN))[0]));
  CHECK(exp(DLBD_ISA::splat(-INFINITY))[0] == 0.0f);
  CHECK(exp(DLBD_ISA::splat(INFINITY))[0] == INFINITY);
}

}  // namespace

int main() {
#if defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512f")) return kSkipped;
#elif defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2")) return kSkipped;
#endif
  test_gemm();
  test_vector_math();
  return report("kernels");
}
