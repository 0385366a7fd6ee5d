// What launching a kernel and replaying a list of launches takes on either device.
#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <type_traits>
#include <vector>

#include "../shapes/kernels.h"

namespace dlbd {

namespace py = pybind11;

// Kernels and copies of their arguments, in order.
class LaunchList {
 public:
  template <class Args>
  void append(void (*run)(const Args&), const Args& args) {
    static_assert(std::is_trivially_copyable_v<Args>);
    const size_t at = arguments_.size();
    arguments_.resize(at + (sizeof(Args) + 63) / 64 * 64);
    std::memcpy(arguments_.data() + at, &args, sizeof(Args));
    launches_.push_back({reinterpret_cast<void (*)()>(run), at, [](void (*f)(), const std::byte* a) {
                           reinterpret_cast<void (*)(const Args&)>(f)(*reinterpret_cast<const Args*>(a));
                         }});
  }
  size_t size() const { return launches_.size(); }
  void run(size_t i) const { launches_[i].invoke(launches_[i].run, arguments_.data() + launches_[i].arguments); }
  // LaunchArgs is the first base of every Args.
  LaunchArgs& arguments(size_t i) { return *reinterpret_cast<LaunchArgs*>(arguments_.data() + launches_[i].arguments); }

 private:
  struct Launch {
    void (*run)();
    size_t arguments;
    void (*invoke)(void (*)(), const std::byte*);
  };
  std::vector<Launch> launches_;
  std::vector<std::byte> arguments_;
};

// The GIL is given up from construction until back(). Not a destructor's work: a daemon thread that asks for the GIL
// after the interpreter has gone is unwound by it, up to Python 3.13, which a destructor turns into an abort. Such a
// thread stays here until the process ends, as in later versions.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  void back();

 private:
  PyThreadState* state_;
};

// Raises the Python error that the status describes, if any, and clears it.
void raise_fault(Status& status);

}  // namespace dlbd
