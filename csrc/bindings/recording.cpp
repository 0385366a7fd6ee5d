#include "recording.h"

namespace dlbd {

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
    for (const Launch& l : launches_) l.invoke(l.run, arguments_.data() + l.arguments);
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
