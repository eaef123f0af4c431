#ifndef MRCNN_EXAMPLES_CLI_EVALUATE_PICTURES_HPP
#define MRCNN_EXAMPLES_CLI_EVALUATE_PICTURES_HPP

#include <span>
#include <string>
#include <vector>

#include "evaluate_command.hpp"
#include "mrcnn/coco/error_records.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "outputs.hpp"

namespace mrcnn::cli {

/// Draws precision over recall into a folder, two pictures for each evaluation: `precision-recall-bbox.png`, the means
/// at all IoU thresholds, and `precision-recall-bbox-categories.png`, the commonest categories at 0.5.
/// Throws: FormatError when they can not be written.
void draw_curves(const std::string& folder, const coco::Annotations& annotations,
                 std::span<const coco::Evaluation> evaluations, Outputs& outputs);

/// Draws the pictures with the worst misses, `miss-bbox-001-<name>.png`, into the folder of --output: what was not found
/// in red, what is wrong in blue. A picture that can not be read is named on the error stream and left out.
/// Returns whether all could be drawn. Throws: FormatError when they can not be written.
bool draw_misses(const EvaluateCommand& command, const coco::Annotations& annotations,
                 std::span<const coco::Result> results, const coco::ErrorAnalysis& analysis, Outputs& outputs);

}  // namespace mrcnn::cli

#endif
