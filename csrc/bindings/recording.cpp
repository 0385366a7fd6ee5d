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
  if (!launches_.empty()) throw std::runtime_error("a recording is made once");
  current() = this;
}

void Recording::end() noexcept {
  if (current() == this) current() = nullptr;
}

void Recording::replay() {
  if (!reason_.empty()) throw std::runtime_error("this recording cannot be replayed: " + reason_);
  status_ = {};
  {
    py::gil_scoped_release release;
    auto asked = std::chrono::steady_clock::now();
    for (const Launch& l : launches_) {
      l.invoke(l.run, arguments_.data() + l.arguments);
      const auto now = std::chrono::steady_clock::now();
      if (now - asked < kSignalInterval) continue;
      asked = now;
      py::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    }
  }
  raise_fault(status_);
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
