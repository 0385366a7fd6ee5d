#include "recording.h"

#include <chrono>

namespace dlbd {
namespace {

// How often a replay asks whether Ctrl-C was pressed; a person does not notice this much.
constexpr auto kSignalInterval = std::chrono::milliseconds(100);

}  // namespace

Recording*& Recording::current() {
  thread_local Recording* recording = nullptr;
  return recording;
}

void Recording::begin() {
  if (current() != nullptr) throw std::runtime_error("this thread is recording already");
  if (running_ || launches_.size() != 0) throw std::runtime_error("a recording is made once");
  py::cast(this).inc_ref();
  current() = this;
  running_ = true;
}

void Recording::end() {
  if (current() != this) return;
  current() = nullptr;
  running_ = false;
  py::cast(this).dec_ref();
}

void Recording::replay() {
  if (!reason_.empty()) throw std::runtime_error("this recording cannot be replayed: " + reason_);
  if (running_) throw std::runtime_error("this recording is still being made, or replayed by another thread");
  running_ = true;
  status_ = {};
  auto asked = std::chrono::steady_clock::now();
  WithoutGil released;
  for (size_t i = 0; i < launches_.size(); ++i) {
    launches_.run(i);
    const auto now = std::chrono::steady_clock::now();
    if (now - asked < kSignalInterval) continue;
    asked = now;
    released.back();
    if (PyErr_CheckSignals() != 0) {
      running_ = false;
      throw py::error_already_set();
    }
    released = WithoutGil();
  }
  released.back();
  running_ = false;
  raise_fault(status_);
}

}  // namespace dlbd
