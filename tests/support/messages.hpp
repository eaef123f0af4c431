#ifndef MRCNN_TESTS_SUPPORT_MESSAGES_HPP
#define MRCNN_TESTS_SUPPORT_MESSAGES_HPP

#include <string>

#include "mrcnn/core/error.hpp"

namespace mrcnn::test {

/// The message of the error that f throws; a text that no message equals when it throws none.
template <class Expected = Error, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Expected& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace mrcnn::test

#endif
