#ifndef MRCNN_EXAMPLES_CLI_COCO_REPORT_HPP
#define MRCNN_EXAMPLES_CLI_COCO_REPORT_HPP

#include <string>
#include <vector>

#include "mrcnn/coco/check.hpp"

namespace mrcnn::cli {

/// What was checked, for the words of the report.
enum class CheckedKind : unsigned char { annotations, results, images };

struct CheckedFile {
  CheckedKind kind;
  coco::CheckReport report;
};

/// The report for readers: what the files hold, then all findings, the most severe of all files first.
std::string check_text(const std::vector<CheckedFile>& files);

/// The same as JSON.
std::string check_json(const std::vector<CheckedFile>& files);

}  // namespace mrcnn::cli

#endif
