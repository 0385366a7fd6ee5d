// A list of launches that can be run again in one call. While a thread records, each of its launches is executed and
// appended; the recording keeps every buffer that it touched alive.
#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "../cpu/kernels.h"
#include "../cpu/memory.h"

namespace dlbd {

namespace py = pybind11;

class Recording {
 public:
  static Recording*& current();  // of this thread; null when it does not record

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
  void keep(py::handle array, const void* data) {
    if (array && !pool_->owns(data)) kept_.push_back(py::reinterpret_borrow<py::object>(array));
  }
  void begin();  // the recording stays alive until its end
  void end();
  void replay();
  // Something happened that a replay would not repeat (a value was read on the host, say): never replay.
  void poison(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
  }
  const std::string& poisoned() const { return reason_; }
  size_t launches() const { return launches_.size(); }
  size_t bytes() const { return pool_->bytes_held(); }
  const std::shared_ptr<Pool>& pool() const { return pool_; }
  Status* status() { return &status_; }

 private:
  struct Launch {
    void (*run)();
    size_t arguments;
    void (*invoke)(void (*)(), const std::byte*);
  };
  std::vector<Launch> launches_;
  std::vector<std::byte> arguments_;
  std::vector<py::object> kept_;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(Pool::kKeepAll);
  std::string reason_;
  Status status_{};
  bool running_ = false;  // being recorded or replayed
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
