#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "counted.hpp"
#include "evaluate_command.hpp"
#include "evaluate_input.hpp"
#include "evaluate_network.hpp"
#include "evaluate_pictures.hpp"
#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/error_analysis.hpp"
#include "mrcnn/coco/evaluate.hpp"
#include "mrcnn/coco/report.hpp"
#include "outputs.hpp"
#include "progress.hpp"

namespace mrcnn::cli {

namespace {

std::string number_of(std::size_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

coco::IouType iou_type_named(const std::string& name) {
  return name == "bbox" ? coco::IouType::bbox : name == "segm" ? coco::IouType::segm : coco::IouType::boundary;
}

bool has_masks(const std::vector<coco::Result>& results) {
  return std::any_of(results.begin(), results.end(),
                     [](const coco::Result& result) { return holds_mask(result.segmentation); });
}

/// One run of the command, from the files to the report.
class EvaluateRun {
 public:
  explicit EvaluateRun(const EvaluateCommand& command) : command_(command) {
    if (command_.results) results_ = coco::read_results(*command_.results, {.threads = command_.threads});
    annotations_ =
        coco::read_annotations(*command_.annotations, {.threads = command_.threads, .segmentations = needs_masks()});
    images_ = choose_images(annotations_, command_);
    for (const std::string& text : annotation_warnings(annotations_, command_.match_id_zero)) warn(text);
  }

  /// Returns the exit status.
  int run() {
    if (command_.weights) maker_.emplace(command_, annotations_, images_);
    open_outputs();
    if (maker_) make_results();
    const std::string name = command_.results ? *command_.results : results_name_;
    for (const std::string& text : check_results(annotations_, results_, name)) warn(text);
    std::string note;
    const auto types = choose_iou_types(annotations_, results_, command_, note);
    const std::string boxes = boxes_as_masks(results_, types, name);
    if (!boxes.empty()) warn(boxes);
    std::string report = head(name);
    if (!note.empty()) report += note + '\n';
    for (const std::string& type : types) {
      evaluations_.push_back(evaluate_type(iou_type_named(type)));
      report += '\n' + type + ":\n" + coco::summary_text(evaluations_.back()) + '\n' +
                coco::category_table(evaluations_.back(), annotations_.categories);
      if (wants_errors(evaluations_.back().iou_type)) analyses_.push_back(analyze(evaluations_.back().iou_type));
      if (command_.errors && wants_errors(evaluations_.back().iou_type))
        report += '\n' + coco::error_text(analyses_.back());
    }
    const bool complete = make_pictures();
    print_results(report);
    if (json_ != nullptr) json_->write(coco::metrics_json(evaluations_, annotations_.categories));
    outputs_.commit();
    return complete ? 0 : 1;
  }

 private:
  /// Whether masks of the annotations can matter.
  bool needs_masks() const {
    if (command_.images) return true;
    if (command_.iou_types.empty()) return has_masks(results_);
    return command_.iou_types != std::vector<std::string>{"bbox"};
  }

  void open_outputs() {
    if (command_.output) outputs_.make_folder(*command_.output);
    if (command_.json) json_ = &outputs_.open(*command_.json);
  }

  void make_results() {
    matching_ = maker_->matching();
    const auto records = maker_->run();
    maker_.reset();  // the network's memory is free for the evaluation
    results_name_ = records.is_path ? records.text : "results of " + *command_.weights;
    results_ = records.is_path ? coco::read_results(records.text, {.threads = command_.threads})
                               : coco::parse_results(records.text, results_name_, {.threads = command_.threads});
  }

  std::string head(const std::string& name) const {
    std::set<std::int64_t> chosen;
    for (const coco::ImageRecord* image : images_) chosen.insert(image->id);
    std::size_t objects = 0;
    for (const coco::Annotation& annotation : annotations_.annotations) objects += chosen.count(annotation.image_id);
    std::size_t detections = 0;
    for (const coco::Result& result : results_) detections += chosen.count(result.image_id);
    std::string text = printable(annotations_.name) + ": " + number_of(images_.size(), "picture", "pictures") + ", " +
                       number_of(objects, "annotation", "annotations") + ", " +
                       number_of(annotations_.categories.size(), "category", "categories") + '\n' + printable(name) +
                       ": " + number_of(detections, "detection", "detections") + '\n';
    if (!matching_.empty()) text += "classes and categories: matched " + matching_ + '\n';
    if (objects == 0)
      text += detections == 0 ? "there are no annotations and no detections: every number is -1\n"
                              : "there are no annotations: every number is -1\n";
    else if (detections == 0)
      text += "there are no detections: every number is 0, or -1 where there is nothing to find\n";
    return text;
  }

  coco::Evaluation evaluate_type(coco::IouType type) const {
    coco::EvaluateOptions options;
    options.iou_type = type;
    options.match_id_zero = command_.match_id_zero;
    options.threads = command_.threads;
    options.image_ids = image_ids();
    std::optional<Progress> progress;
    options.progress = [&](index_t done, index_t total) {
      if (!progress)
        progress.emplace(total, std::string(coco::iou_type_name(type)) + " steps", ProgressOptions{.memory = true});
      progress->update(done);
      return true;
    };
    return coco::evaluate(annotations_, results_, options);
  }

  /// Absent when all pictures take part.
  std::optional<std::vector<std::int64_t>> image_ids() const {
    if (!command_.limit && !command_.image_ids) return std::nullopt;
    std::vector<std::int64_t> ids;
    for (const coco::ImageRecord* image : images_) ids.push_back(image->id);
    return ids;
  }

  /// Whether all pictures could be made.
  bool make_pictures() {
    if (!command_.output) return true;
    draw_curves(*command_.output, annotations_, evaluations_, outputs_);
    bool complete = true;
    if (draws_misses())
      for (const coco::ErrorAnalysis& analysis : analyses_)
        complete = draw_misses(command_, annotations_, results_, analysis, outputs_) && complete;
    return complete;
  }

  bool draws_misses() const { return command_.output && command_.images && command_.misses > 0; }
  /// Errors of borders are those of masks.
  bool wants_errors(coco::IouType type) const {
    return type != coco::IouType::boundary && (command_.errors || draws_misses());
  }
  coco::ErrorAnalysis analyze(coco::IouType type) const {
    coco::ErrorAnalysisOptions options;
    options.iou_type = type;
    options.image_ids = image_ids();
    options.threads = command_.threads;
    return coco::analyze_errors(annotations_, results_, options);
  }

  const EvaluateCommand& command_;
  coco::Annotations annotations_;
  std::vector<const coco::ImageRecord*> images_;
  Outputs outputs_;
  io::OutputFile* json_ = nullptr;
  std::optional<ResultsMaker> maker_;
  std::string matching_;
  std::string results_name_;
  std::vector<coco::Result> results_;
  std::vector<coco::Evaluation> evaluations_;
  std::vector<coco::ErrorAnalysis> analyses_;
};

}  // namespace

int evaluate(const std::vector<std::string>& words) {
  const auto command = parse_evaluate(words);
  return command ? EvaluateRun(*command).run() : 0;
}

}  // namespace mrcnn::cli
