// A list of launches that can be run again in one call. While a thread records, each of its launches is executed and
// appended; the recording keeps every buffer that it touched alive.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <vector>

#include "../cpu/memory.h"
#include "launching.h"

namespace dlbd {

namespace py = pybind11;

class Recording {
 public:
  static Recording*& current();  // of this thread; null when it does not record

  template <class Args>
  void append(void (*run)(const Args&), const Args& args) {
    launches_.append(run, args);
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
  LaunchList launches_;
  std::vector<py::object> kept_;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(Pool::kKeepAll);
  std::string reason_;
  Status status_{};
  bool running_ = false;  // being recorded or replayed
};

}  // namespace dlbd
