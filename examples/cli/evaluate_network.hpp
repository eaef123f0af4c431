#ifndef MRCNN_EXAMPLES_CLI_EVALUATE_NETWORK_HPP
#define MRCNN_EXAMPLES_CLI_EVALUATE_NETWORK_HPP

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "evaluate_command.hpp"
#include "mrcnn/coco/records.hpp"

namespace mrcnn::cli {

/// The network of `mrcnn evaluate`, which looks at pictures and writes down what it finds.
class ResultsMaker {
 public:
  /// Sets up the model and finds the pictures, without the weights: what can be wrong is found here.
  /// Throws: FormatError, ShapeError, UsageError.
  ResultsMaker(const EvaluateCommand& command, const coco::Annotations& annotations,
               std::span<const coco::ImageRecord* const> images);
  ~ResultsMaker();

  /// How classes and categories were matched, for people.
  const std::string& matching() const;
  /// Runs the network over the pictures that are not done yet. Returns COCO's result records as JSON: the path of the
  /// file when they go into one, with `is_path`, else the text itself. Throws: FormatError.
  struct Records {
    std::string text;
    bool is_path = false;
  };
  Records run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mrcnn::cli

#endif
