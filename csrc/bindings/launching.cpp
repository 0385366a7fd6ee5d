#include "launching.h"

#include <cxxabi.h>
#include <unistd.h>

#include <string>

namespace dlbd {

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
