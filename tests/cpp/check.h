// A check that reports and counts; main returns the verdict.
#pragma once

#include <cstdio>

inline int failures = 0;

constexpr int kSkipped = 77;  // what ctest takes for "this machine cannot run it"

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      std::printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                         \
    }                                                                     \
  } while (0)

inline int report(const char* name) {
  std::printf("%s: %d failures\n", name, failures);
  return failures != 0;
}
