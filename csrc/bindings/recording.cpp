#include "recording.h"

#include <cxxabi.h>
#include <unistd.h>

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
  if (running_ || !launches_.empty()) throw std::runtime_error("a recording is made once");
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
  for (const Launch& l : launches_) {
    l.invoke(l.run, arguments_.data() + l.arguments);
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

void WithoutGil::back() {
  try {
    PyEval_RestoreThread(state_);
  } catch (abi::__forced_unwind&) {
    for (;;) pause();
  }
}

void raise_fault(Status& status) {
  if (status.code == Fault::none) return;
  const Status s = status;
  status = {};
  if (s.code == Fault::label_not_whole) {
    double label;
    std::memcpy(&label, &s.value, sizeof(label));
    throw py::value_error("label " + std::to_string(label) + " at position " + std::to_string(s.where) +
                          " is not a class number: expected a whole number, 0 <= value < " + std::to_string(s.limit));
  }
  const char* what = s.code == Fault::label_out_of_range ? "label " : "index ";
  throw py::value_error(what + std::to_string(s.value) + " at position " + std::to_string(s.where) +
                        " is out of range: expected 0 <= value < " + std::to_string(s.limit));
}

}  // namespace dlbd
