#include "commands.hpp"

namespace mrcnn::cli {
int inspect(const std::vector<std::string>&) { return 0; }
}  // namespace mrcnn::cli
