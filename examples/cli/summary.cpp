#include "summary.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include "printable.hpp"

namespace mrcnn::cli {

namespace {

/// Columns that a terminal needs for a text: its code points.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// Rows of texts in columns of equal width; the first row is the head. Columns whose head begins with a space are
/// numbers, set to the right.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns(row[i]), ' ');
      line += rows[0][i][0] == ' ' ? "  " + space + row[i] : "  " + row[i] + space;
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string formatted(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string size_text(const PictureResult& result) {
  return std::to_string(result.width) + " x " + std::to_string(result.height);
}

std::string class_name(const Detection& detection, const std::vector<std::string>& names) {
  return printable(names[static_cast<std::size_t>(detection.class_id) - 1]);
}

/// "3 person, 1 dog": the commonest first.
std::string counts_text(const PictureResult& result, const std::vector<std::string>& names) {
  if (!result.error.empty()) return "skipped: can not be read";
  std::map<std::string, int> counts;
  for (const Detection& detection : result.detections) ++counts[class_name(detection, names)];
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [name, count] : sorted) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  return text.empty() ? "nothing" : text;
}

std::string objects_table(const PictureResult& result, const std::vector<std::string>& names) {
  const std::size_t count = result.detections.size();
  std::string text =
      printable(result.picture.file_name()) + " (" + size_text(result) +
      "): " + (count == 0 ? "nothing found" : std::to_string(count) + (count == 1 ? " object" : " objects")) + '\n';
  if (count == 0) return text;
  std::vector<std::vector<std::string>> rows{{"class", " score", " x", " y", " width", " height", " mask pixels"}};
  for (std::size_t i = 0; i < count; ++i) {
    const Detection& detection = result.detections[i];
    const Box& box = detection.box;
    rows.push_back({class_name(detection, names), formatted("%.3f", static_cast<double>(detection.score))});
    for (const float side : {box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1})
      rows.back().push_back(formatted("%.0f", static_cast<double>(side)));
    rows.back().push_back(std::to_string(result.mask_pixels[i]));
  }
  return text + table(rows);
}

}  // namespace

std::string results_table(const std::vector<PictureResult>& results, const std::vector<std::string>& class_names) {
  if (results.size() == 1 && results[0].error.empty()) return objects_table(results[0], class_names);
  std::vector<std::vector<std::string>> rows{{"picture", " size", "found"}};
  for (const PictureResult& result : results)
    rows.push_back({printable(result.picture.file_name()), result.error.empty() ? size_text(result) : "-",
                    counts_text(result, class_names)});
  return table(rows);
}

std::string times_table(const std::vector<StageTime>& times) {
  double total = 0;
  for (const StageTime& time : times) total += time.seconds;
  std::vector<std::vector<std::string>> rows{{"stage", " ms", " share"}};
  for (const StageTime& time : times)
    rows.push_back({time.stage, formatted("%.1f", 1e3 * time.seconds),
                    formatted("%.1f %%", total > 0 ? 100 * time.seconds / total : 0)});
  rows.push_back({"all", formatted("%.1f", 1e3 * total), ""});
  return table(rows);
}

}  // namespace mrcnn::cli
