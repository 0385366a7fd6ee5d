// Overflow-checked arithmetic for shape constructors (host code only; never included by a kernel source).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace dlbd {

inline int64_t checked_add(int64_t a, int64_t b, const char* what) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) throw std::invalid_argument(std::string(what) + " overflows 64 bits");
  return r;
}

inline int64_t checked_mul(int64_t a, int64_t b, const char* what) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) throw std::invalid_argument(std::string(what) + " overflows 64 bits");
  return r;
}

}  // namespace dlbd
