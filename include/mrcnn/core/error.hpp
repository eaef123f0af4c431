#ifndef MRCNN_CORE_ERROR_HPP
#define MRCNN_CORE_ERROR_HPP

#include <stdexcept>
#include <string>

namespace mrcnn {

/// Base of everything this library throws on purpose. The message is one line that names the operation, file or
/// tensor, says what was found and what was expected, and how to mend it.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument has the wrong extents, or an option lies outside its range.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A file is missing, unreadable, truncated, or does not hold what it should.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// A progress callback asked to stop.
class Cancelled : public Error {
 public:
  using Error::Error;
};

/// A CUDA call failed. `code()` is the cudaError_t value.
class CudaError : public Error {
 public:
  CudaError(const std::string& message, int code) : Error(message), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

}  // namespace mrcnn

#endif
