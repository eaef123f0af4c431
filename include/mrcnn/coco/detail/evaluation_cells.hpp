#ifndef MRCNN_COCO_DETAIL_EVALUATION_CELLS_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_CELLS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn::coco::detail {

/// The distinct ids, ascending.
inline std::vector<std::int64_t> ascending_ids(std::vector<std::int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

/// The ids of pictures, categories or annotations, as they are listed.
template <class Record>
std::vector<std::int64_t> ids_of(const std::vector<Record>& records) {
  std::vector<std::int64_t> ids;
  ids.reserve(records.size());
  for (const Record& record : records) ids.push_back(record.id);
  return ids;
}

/// Throws: ShapeError for more records than places can be counted with.
inline void check_record_counts(const char* function, const Annotations& truth, std::span<const Result> results) {
  const std::size_t most = std::max(truth.annotations.size(), results.size());
  if (most > 0x7FFFFFFFU)
    throw ShapeError(std::string(function) + ": " + std::to_string(most) +
                     " annotations or results, expected below 2^31; take parts of them");
}

/// Finds the place of an id in an ascending list.
class IdIndex {
 public:
  explicit IdIndex(std::vector<std::int64_t> ids) : ids_(std::move(ids)) {
    if (ids_.empty()) return;
    const std::uint64_t range = distance(ids_.back()) + 1;
    if (range == 0 || range > 64 * ids_.size() + 1024) return;  // too sparse for a table
    table_.assign(static_cast<std::size_t>(range), -1);
    for (std::size_t i = 0; i < ids_.size(); ++i) table_[distance(ids_[i])] = static_cast<std::int32_t>(i);
  }

  std::size_t size() const { return ids_.size(); }
  const std::vector<std::int64_t>& ids() const { return ids_; }
  /// -1 where there is no such id.
  std::int32_t find(std::int64_t id) const {
    if (ids_.empty() || id < ids_.front() || id > ids_.back()) return -1;
    if (!table_.empty()) return table_[distance(id)];
    const auto place = std::lower_bound(ids_.begin(), ids_.end(), id);
    return *place == id ? static_cast<std::int32_t>(place - ids_.begin()) : -1;
  }

 private:
  std::uint64_t distance(std::int64_t id) const {
    return static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(ids_.front());
  }

  std::vector<std::int64_t> ids_;
  std::vector<std::int32_t> table_;
};

/// A record, by its place in the file, and where it belongs.
struct CellEntry {
  std::uint32_t record;
  std::int32_t image;
  std::int32_t category;
};

/// Orders entries by a key below `keys`; entries of one key keep their order.
template <class Key>
void sort_entries(std::vector<CellEntry>& entries, std::size_t keys, const Key& key) {
  std::vector<std::size_t> begins(keys + 1, 0);
  for (const CellEntry& entry : entries) ++begins[static_cast<std::size_t>(key(entry)) + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  std::vector<CellEntry> sorted(entries.size());
  for (const CellEntry& entry : entries) sorted[begins[static_cast<std::size_t>(key(entry))]++] = entry;
  entries.swap(sorted);
}

/// The objects and detections that can meet: those of one category in one picture.
struct EvaluationCell {
  std::int32_t image;
  std::int32_t category;
  std::uint32_t truth_begin;
  std::uint32_t truth_end;
  std::uint32_t detection_begin;
  std::uint32_t detection_end;
};

/// All cells that hold anything, by category, then by picture.
struct EvaluationCells {
  std::vector<CellEntry> truths;
  std::vector<CellEntry> detections;
  std::vector<EvaluationCell> cells;
  std::vector<std::size_t> category_begins;  ///< in `cells`, and the end
};

/// Which annotation stands for each: of several with one id, pycocotools takes the last for all. Empty when ids differ.
inline std::vector<std::uint32_t> last_of_equal_ids(std::span<const Annotation> annotations) {
  const auto falls_back = [](const Annotation& a, const Annotation& b) { return a.id >= b.id; };
  if (std::adjacent_find(annotations.begin(), annotations.end(), falls_back) == annotations.end()) return {};
  std::vector<std::uint32_t> order(annotations.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return annotations[a].id != annotations[b].id ? annotations[a].id < annotations[b].id : a < b;
  });
  std::vector<std::uint32_t> last(annotations.size());
  bool repeated = false;
  for (std::size_t i = order.size(); i-- > 0;) {
    const bool same = i + 1 < order.size() && annotations[order[i]].id == annotations[order[i + 1]].id;
    last[order[i]] = same ? last[order[i + 1]] : order[i];
    repeated = repeated || same;
  }
  return repeated ? last : std::vector<std::uint32_t>{};
}

/// The annotations of the wanted pictures and categories, in pycocotools' order.
inline std::vector<CellEntry> truth_entries(std::span<const Annotation> annotations, const IdIndex& images,
                                            const IdIndex& categories, bool agnostic) {
  const std::vector<std::uint32_t> stands_for = last_of_equal_ids(annotations);
  std::vector<CellEntry> entries;
  entries.reserve(annotations.size());
  for (std::size_t i = 0; i < annotations.size(); ++i)
    entries.push_back({static_cast<std::uint32_t>(i), images.find(annotations[i].image_id),
                       categories.find(annotations[i].category_id)});
  const auto outside = [](const CellEntry& entry) { return entry.image < 0 || entry.category < 0; };
  if (!stands_for.empty()) {
    std::erase_if(entries, [](const CellEntry& entry) { return entry.image < 0; });
    sort_entries(entries, images.size(), [](const CellEntry& entry) { return entry.image; });
    for (CellEntry& entry : entries) {
      const bool wanted = agnostic || entry.category >= 0;
      entry.record = stands_for[entry.record];
      entry.image = images.find(annotations[entry.record].image_id);
      entry.category = wanted ? categories.find(annotations[entry.record].category_id) : -1;
    }
  }
  std::erase_if(entries, outside);
  return entries;
}

/// @param known  of all pictures of the data set
/// Throws: FormatError for a result of an unknown picture, or whose score is NaN.
inline std::vector<CellEntry> detection_entries(std::span<const Result> results, const IdIndex& known,
                                                const IdIndex& images, const IdIndex& categories) {
  std::vector<CellEntry> entries;
  entries.reserve(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Result& result = results[i];
    const std::int32_t image = images.find(result.image_id);
    const auto fail = [&](const std::string& text) {
      throw FormatError("evaluate: result " + std::to_string(i) + " (image_id " + std::to_string(result.image_id) +
                        ", category_id " + std::to_string(result.category_id) + ") " + text);
    };
    if (known.find(result.image_id) < 0)
      fail("is of a picture that the annotations do not have, expected one of theirs; are both files of one data set?");
    if (std::isnan(result.score)) fail("has the score NaN, expected a number");
    const std::int32_t category = categories.find(result.category_id);
    if (image >= 0 && category >= 0) entries.push_back({static_cast<std::uint32_t>(i), image, category});
  }
  return entries;
}

/// Cuts entries into cells. With `agnostic` a cell holds all categories of a picture, one behind the other.
inline EvaluationCells make_cells(std::vector<CellEntry> truths, std::vector<CellEntry> detections, std::size_t images,
                                  std::size_t categories, bool agnostic) {
  const auto image_of = [](const CellEntry& entry) { return entry.image; };
  const auto category_of = [](const CellEntry& entry) { return entry.category; };
  for (auto* entries : {&truths, &detections}) {
    if (agnostic) {
      sort_entries(*entries, categories, category_of);
      for (CellEntry& entry : *entries) entry.category = 0;
      sort_entries(*entries, images, image_of);
    } else {
      sort_entries(*entries, images, image_of);
      sort_entries(*entries, categories, category_of);
    }
  }
  EvaluationCells cells{std::move(truths), std::move(detections), {}, {}};
  const auto key = [](const std::vector<CellEntry>& entries, std::size_t i) {
    return i < entries.size() ? std::pair(entries[i].category, entries[i].image)
                              : std::pair(std::numeric_limits<std::int32_t>::max(), std::int32_t{0});
  };
  std::size_t t = 0;
  std::size_t d = 0;
  while (t < cells.truths.size() || d < cells.detections.size()) {
    const auto next = std::min(key(cells.truths, t), key(cells.detections, d));
    const std::size_t truth_begin = t;
    const std::size_t detection_begin = d;
    while (key(cells.truths, t) == next) ++t;
    while (key(cells.detections, d) == next) ++d;
    while (cells.category_begins.size() <= static_cast<std::size_t>(next.first))
      cells.category_begins.push_back(cells.cells.size());
    cells.cells.push_back({next.second, next.first, static_cast<std::uint32_t>(truth_begin),
                           static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(detection_begin),
                           static_cast<std::uint32_t>(d)});
  }
  cells.category_begins.resize((agnostic ? 1 : categories) + 1, cells.cells.size());
  return cells;
}

}  // namespace mrcnn::coco::detail

#endif
