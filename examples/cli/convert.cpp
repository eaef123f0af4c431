#include "commands.hpp"

namespace mrcnn::cli {
int convert(const std::vector<std::string>&) { return 0; }
}  // namespace mrcnn::cli
