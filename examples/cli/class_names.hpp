#ifndef MRCNN_EXAMPLES_CLI_CLASS_NAMES_HPP
#define MRCNN_EXAMPLES_CLI_CLASS_NAMES_HPP

#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace mrcnn::cli {

/// Checks what --classes says as far as that takes no file. Throws: UsageError.
void check_class_option(const CommandLine& line, const std::string& classes);

/// The names of a model's classes, without the background: what --classes says, else those stored with the weights,
/// else COCO's when there are 81 classes, else "class 1", "class 2", ...
/// Throws: FormatError when a file can not be read, a name is empty or the number does not fit.
std::vector<std::string> settle_class_names(const std::optional<std::string>& option,
                                            const std::vector<std::string>& stored, int num_classes,
                                            const std::string& weights);

}  // namespace mrcnn::cli

#endif
