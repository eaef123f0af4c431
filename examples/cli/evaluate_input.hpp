#ifndef MRCNN_EXAMPLES_CLI_EVALUATE_INPUT_HPP
#define MRCNN_EXAMPLES_CLI_EVALUATE_INPUT_HPP

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate_command.hpp"
#include "mrcnn/coco/records.hpp"

namespace mrcnn::cli {

/// The pictures that take part, by ascending id, each once (of equal ids the last, as in pycocotools): all, those of
/// --image-ids, or the first --limit of them. Throws: FormatError for an id that the file does not have.
std::vector<const coco::ImageRecord*> choose_images(const coco::Annotations& annotations,
                                                    const EvaluateCommand& command);

/// Warnings about what is odd in the annotations and changes the numbers: a line for each kind.
std::vector<std::string> annotation_warnings(const coco::Annotations& annotations, bool match_id_zero);

/// Checks results against the annotations; returns warnings, a line for each kind. `name` stands for the file.
/// Throws: FormatError for results of pictures that the annotations do not have, and for scores that are NaN.
std::vector<std::string> check_results(const coco::Annotations& annotations, std::span<const coco::Result> results,
                                       const std::string& name);

/// Whether there is a mask: an empty list of polygons, as in files of boxes, is none.
bool holds_mask(const coco::Segmentation& segmentation);

/// What is compared: what was asked for, else bbox, and segm where there are masks on both sides.
/// @param note  gets a line when masks are there and are left out
std::vector<std::string> choose_iou_types(const coco::Annotations& annotations, std::span<const coco::Result> results,
                                          const EvaluateCommand& command, std::string& note);

/// A warning when masks are compared and results have a box only, which takes the place of the mask; else empty.
std::string boxes_as_masks(std::span<const coco::Result> results, std::span<const std::string> iou_types,
                           const std::string& name);

}  // namespace mrcnn::cli

#endif
