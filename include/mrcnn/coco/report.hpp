#ifndef MRCNN_COCO_REPORT_HPP
#define MRCNN_COCO_REPORT_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/numpy_mean.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/json_writer.hpp"

// What an evaluation says about single categories and areas, as numbers, as text and as JSON.
//
//   const coco::Evaluation evaluation = coco::evaluate(annotations, results);
//   std::puts(coco::category_table(evaluation, annotations.categories).c_str());
//   const std::string json = coco::metrics_json({&evaluation, 1}, annotations.categories);

namespace mrcnn::coco {

/// What an evaluation says about objects of one category. Every number is a mean over the entries that there are, -1
/// without any: numpy's mean of pycocotools' entries, to the bit.
struct CategoryMetrics {
  std::int64_t id = 0;
  std::string name;  ///< empty when the records have none for the id
  double ap = -1;    ///< over all IoU thresholds
  double ap50 = -1;  ///< at the IoU threshold 0.5; -1 when the evaluation has none such; likewise 0.75
  double ap75 = -1;
  double ap_small = -1;  ///< over all IoU thresholds, in the area called `small`; likewise the others
  double ap_medium = -1;
  double ap_large = -1;
  std::vector<double> ar;  ///< for each of the evaluation's max_detections
  double ar_small = -1;    ///< with the most detections
  double ar_medium = -1;
  double ar_large = -1;
};

/// What an evaluation says about objects of one range of areas, over all categories.
struct AreaMetrics {
  AreaRange area;
  double ap = -1;
  double ap50 = -1;
  double ap75 = -1;
  std::vector<double> ar;  ///< for each of the evaluation's max_detections
};

namespace detail {

/// Means over parts of an evaluation's arrays.
class EvaluationMeans {
 public:
  using Place = std::optional<std::size_t>;
  static constexpr std::size_t every = static_cast<std::size_t>(-1);

  explicit EvaluationMeans(const Evaluation& evaluation) : evaluation_(evaluation) {
    const std::size_t cells =
        evaluation.category_ids.size() * evaluation.areas.size() * evaluation.max_detections.size();
    check("recall", evaluation.recall.size(), evaluation.iou_thresholds.size() * cells);
    check("precision", evaluation.precision.size(),
          evaluation.iou_thresholds.size() * evaluation.recall_thresholds.size() * cells);
  }

  Place threshold(double value) const {
    return place(evaluation_.iou_thresholds, [&](double t) { return t == value; });
  }
  Place area(const char* name) const {
    return place(evaluation_.areas, [&](const AreaRange& area) { return area.name == name; });
  }
  Place last_limit() const {
    return evaluation_.max_detections.empty() ? Place() : Place(evaluation_.max_detections.size() - 1);
  }

  /// @param threshold, category  a place, or `every`
  double precision(Place threshold, std::size_t category, Place area, Place limit) const {
    return mean(evaluation_.precision, evaluation_.recall_thresholds.size(), threshold, category, area, limit);
  }
  double recall(std::size_t category, Place area, Place limit) const {
    return mean(evaluation_.recall, 1, every, category, area, limit);
  }
  std::vector<double> recalls(std::size_t category, Place area) const {
    std::vector<double> numbers;
    for (std::size_t m = 0; m < evaluation_.max_detections.size(); ++m) numbers.push_back(recall(category, area, m));
    return numbers;
  }

 private:
  static void check(const char* name, std::size_t found, std::size_t expected) {
    if (found != expected)
      throw ShapeError("Evaluation: " + std::string(name) + " has " + std::to_string(found) + " entries, expected " +
                       std::to_string(expected) + " as its thresholds, categories, areas and limits say");
  }
  template <class Values, class Wanted>
  static Place place(const Values& values, const Wanted& wanted) {
    const auto found = std::find_if(values.begin(), values.end(), wanted);
    return found == values.end() ? Place() : Place(static_cast<std::size_t>(found - values.begin()));
  }

  /// Of a table [T, rows, K, A, M]: the mean of what is above -1, in the order of memory.
  double mean(const std::vector<double>& table, std::size_t rows, Place threshold, std::size_t category, Place area,
              Place limit) const {
    if (!threshold || !area || !limit) return -1.0;
    const std::size_t first = category == every ? 0 : category;
    const std::size_t end = category == every ? evaluation_.category_ids.size() : category + 1;
    std::vector<double> numbers;
    for (std::size_t t = 0; t < evaluation_.iou_thresholds.size(); ++t) {
      if (*threshold != every && *threshold != t) continue;
      for (std::size_t row = t * rows; row < (t + 1) * rows; ++row)
        for (std::size_t k = first; k < end; ++k) {
          const double number = table[evaluation_.recall_place(row, k, *area, *limit)];
          if (number > -1) numbers.push_back(number);
        }
    }
    return numbers.empty() ? -1.0 : numpy_mean(numbers);
  }

  const Evaluation& evaluation_;
};

/// Columns of a text, the first to the left, the others to the right.
class TextTable {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_)
      for (std::size_t c = 0; c < row.size(); ++c) {
        if (c == widths.size()) widths.push_back(0);
        widths[c] = std::max(widths[c], columns_of(row[c]));
      }
    std::string text;
    for (const auto& row : rows_) {
      for (std::size_t c = 0; c < row.size(); ++c) {
        const std::string space(widths[c] - columns_of(row[c]), ' ');
        text += c == 0 ? row[c] + space : "  " + space + row[c];
      }
      text += '\n';
    }
    return text;
  }

  /// A name as it can stand in a table, in which control characters would do harm.
  static std::string shown(std::string name) {
    for (char& c : name)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    // What turns the direction of writing, U+202A to U+202E and U+2066 to U+2069, would turn the numbers, too.
    for (std::size_t i = 0; i + 2 < name.size(); ++i) {
      const std::string_view c = std::string_view(name).substr(i, 3);
      if ((c >= "\xE2\x80\xAA" && c <= "\xE2\x80\xAE") || (c >= "\xE2\x81\xA6" && c <= "\xE2\x81\xA9"))
        name.replace(i, 3, "?");
    }
    return name;
  }
  /// Three decimals, as pycocotools prints; "-" for nothing.
  static std::string shown(double number) {
    if (number <= -1) return "-";
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.3f", number);
    return digits;
  }

 private:
  /// Characters of UTF-8 text.
  static std::size_t columns_of(const std::string& text) {
    const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
  }

  std::vector<std::vector<std::string>> rows_;
};

/// "AR1", "AR10" ...
inline std::vector<std::string> recall_names(const Evaluation& evaluation) {
  std::vector<std::string> names;
  for (const std::int64_t limit : evaluation.max_detections) names.push_back(std::string("AR") + std::to_string(limit));
  return names;
}

inline constexpr std::array<const char*, 12> statistic_names = {"AP",  "AP50", "AP75",  "APs", "APm", "APl",
                                                                "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};

}  // namespace detail

/// "bbox", "segm", "boundary"
inline const char* iou_type_name(IouType type) {
  return type == IouType::bbox ? "bbox" : type == IouType::segm ? "segm" : "boundary";
}

/// The numbers of each category of an evaluation, in its order: ascending ids.
///
/// @param categories  records that name them; those of other ids do not matter
/// Throws: ShapeError when the evaluation's arrays do not fit together. O(size of the arrays).
inline std::vector<CategoryMetrics> category_metrics(const Evaluation& evaluation,
                                                     std::span<const CategoryRecord> categories = {}) {
  const detail::EvaluationMeans means(evaluation);
  const auto all = means.area("all");
  const auto last = means.last_limit();
  constexpr std::size_t every = detail::EvaluationMeans::every;
  std::vector<CategoryMetrics> metrics;
  for (std::size_t k = 0; k < evaluation.category_ids.size(); ++k) {
    CategoryMetrics category;
    category.id = evaluation.category_ids[k];
    for (const CategoryRecord& record : categories)
      if (record.id == category.id) category.name = record.name;
    category.ap = means.precision(every, k, all, last);
    category.ap50 = means.precision(means.threshold(0.5), k, all, last);
    category.ap75 = means.precision(means.threshold(0.75), k, all, last);
    category.ap_small = means.precision(every, k, means.area("small"), last);
    category.ap_medium = means.precision(every, k, means.area("medium"), last);
    category.ap_large = means.precision(every, k, means.area("large"), last);
    category.ar = means.recalls(k, all);
    category.ar_small = means.recall(k, means.area("small"), last);
    category.ar_medium = means.recall(k, means.area("medium"), last);
    category.ar_large = means.recall(k, means.area("large"), last);
    metrics.push_back(std::move(category));
  }
  return metrics;
}

/// The numbers of each range of areas, over all categories. Throws: as `category_metrics`.
inline std::vector<AreaMetrics> area_metrics(const Evaluation& evaluation) {
  const detail::EvaluationMeans means(evaluation);
  const auto last = means.last_limit();
  constexpr std::size_t every = detail::EvaluationMeans::every;
  std::vector<AreaMetrics> metrics;
  for (std::size_t a = 0; a < evaluation.areas.size(); ++a)
    metrics.push_back({evaluation.areas[a], means.precision(every, every, a, last),
                       means.precision(means.threshold(0.5), every, a, last),
                       means.precision(means.threshold(0.75), every, a, last), means.recalls(every, a)});
  return metrics;
}

/// A line for each category: AP, AP50, AP75, APs, APm, APl and the recalls; "-" where there is nothing to find. A category
/// without a name has its id. Throws: as `category_metrics`.
inline std::string category_table(const Evaluation& evaluation, std::span<const CategoryRecord> categories = {}) {
  using detail::TextTable;
  TextTable table;
  std::vector<std::string> row = {"category", "AP", "AP50", "AP75", "APs", "APm", "APl"};
  for (std::string& name : detail::recall_names(evaluation)) row.push_back(std::move(name));
  table.add(std::move(row));
  for (const CategoryMetrics& category : category_metrics(evaluation, categories)) {
    row = {TextTable::shown(category.name.empty() ? std::to_string(category.id) : category.name)};
    for (const double number :
         {category.ap, category.ap50, category.ap75, category.ap_small, category.ap_medium, category.ap_large})
      row.push_back(TextTable::shown(number));
    for (const double number : category.ar) row.push_back(TextTable::shown(number));
    table.add(std::move(row));
  }
  return table.text();
}

/// A line for each range of areas: AP, AP50, AP75 and the recalls. Throws: as `category_metrics`.
inline std::string area_table(const Evaluation& evaluation) {
  using detail::TextTable;
  TextTable table;
  std::vector<std::string> row = {"area", "AP", "AP50", "AP75"};
  for (std::string& name : detail::recall_names(evaluation)) row.push_back(std::move(name));
  table.add(std::move(row));
  for (const AreaMetrics& area : area_metrics(evaluation)) {
    row = {TextTable::shown(area.area.name)};
    for (const double number : {area.ap, area.ap50, area.ap75}) row.push_back(TextTable::shown(number));
    for (const double number : area.ar) row.push_back(TextTable::shown(number));
    table.add(std::move(row));
  }
  return table.text();
}

/// Appends the object of one evaluation: `stats`, pycocotools' 12 numbers in its order; the same as `AP`, `AP50`, `AP75`,
/// `APs`, `APm`, `APl`, `AR1`, `AR10`, `AR100`, `ARs`, `ARm`, `ARl`; and `per_category`, a list of objects with `id`,
/// `name` and these numbers, where recalls are named for the evaluation's limits. Every number is written with the digits
/// that read back as the same double; -1 where there is nothing to find.
/// Throws: as `category_metrics`; Error when a number is NaN or infinite.
inline void append_metrics(io::JsonWriter& writer, const Evaluation& evaluation,
                           std::span<const CategoryRecord> categories = {}) {
  writer.begin_object().key("stats").begin_array();
  for (const double number : evaluation.stats) writer.value(number);
  writer.end_array();
  for (std::size_t i = 0; i < evaluation.stats.size(); ++i)
    writer.member(detail::statistic_names[i], evaluation.stats[i]);
  writer.key("per_category").begin_array();
  const std::vector<std::string> recalls = detail::recall_names(evaluation);
  for (const CategoryMetrics& category : category_metrics(evaluation, categories)) {
    writer.begin_object().member("id", category.id).member("name", category.name);
    writer.member("AP", category.ap).member("AP50", category.ap50).member("AP75", category.ap75);
    writer.member("APs", category.ap_small).member("APm", category.ap_medium).member("APl", category.ap_large);
    for (std::size_t m = 0; m < recalls.size(); ++m) writer.member(recalls[m], category.ar[m]);
    writer.member("ARs", category.ar_small).member("ARm", category.ar_medium).member("ARl", category.ar_large);
    writer.end_object();
  }
  writer.end_array().end_object();
}

/// An object with a member for each evaluation, named for its IoU type; see `append_metrics`. At most one of a type.
inline std::string metrics_json(std::span<const Evaluation> evaluations,
                                std::span<const CategoryRecord> categories = {}) {
  io::JsonWriterOptions options;
  options.indent = 2;
  io::JsonWriter writer(options);
  writer.begin_object();
  for (const Evaluation& evaluation : evaluations) {
    writer.key(iou_type_name(evaluation.iou_type));
    append_metrics(writer, evaluation, categories);
  }
  writer.end_object();
  return writer.text() + '\n';
}

}  // namespace mrcnn::coco

#endif
