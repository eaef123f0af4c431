#ifndef MRCNN_EXAMPLES_CLI_COMMANDS_HPP
#define MRCNN_EXAMPLES_CLI_COMMANDS_HPP

#include <string>
#include <vector>

namespace mrcnn::cli {

/// The commands of the program. Each takes the words behind its name and returns the exit status. Throws UsageError for
/// a wrong command line, mrcnn::Error for files that are missing, damaged or do not fit.
int detect(const std::vector<std::string>& words);
int evaluate(const std::vector<std::string>& words);
int convert(const std::vector<std::string>& words);
int inspect(const std::vector<std::string>& words);
int coco_command(const std::vector<std::string>& words);

}  // namespace mrcnn::cli

#endif
