#ifndef MRCNN_COCO_DETAIL_FINDING_COLLECTOR_HPP
#define MRCNN_COCO_DETAIL_FINDING_COLLECTOR_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/oddity.hpp"

namespace mrcnn::coco {

/// One record with a finding.
struct FindingExample {
  /// The image, category or annotation; for a result its position in the file; absent where the file as a whole is
  /// meant.
  std::optional<std::int64_t> id;
  std::string text;
};

/// All that is odd in one way.
struct Finding {
  Oddity kind{};
  std::uint64_t count = 0;
  std::vector<FindingExample> examples;  ///< the first few, in the order of the file
};

namespace detail {

/// By severity and kind.
inline void sort_findings(std::vector<Finding>& findings) {
  std::sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::pair(describe(a.kind).severity, a.kind) < std::pair(describe(b.kind).severity, b.kind);
  });
}

/// Counts findings of each kind, and keeps the first few.
class FindingCollector {
 public:
  explicit FindingCollector(std::size_t examples) : examples_(examples) {}

  /// `text` returns the example's text; it is called only for those that are kept.
  template <class Text>
  void add(Oddity kind, std::int64_t id, const Text& text) {
    Finding& finding = of_kind(kind);
    if (finding.examples.size() < examples_) finding.examples.push_back({id, text()});
    ++finding.count;
  }
  void add_for_file(Oddity kind, const std::string& text) {
    Finding& finding = of_kind(kind);
    if (finding.examples.size() < examples_) finding.examples.push_back({std::nullopt, text});
    ++finding.count;
  }
  /// Adds what was found in later records.
  void merge(FindingCollector&& later) {
    for (Finding& finding : later.findings_) {
      Finding& mine = of_kind(finding.kind);
      mine.count += finding.count;
      for (FindingExample& example : finding.examples)
        if (mine.examples.size() < examples_) mine.examples.push_back(std::move(example));
    }
    later.findings_.clear();
  }
  /// By severity and kind.
  std::vector<Finding> take() && {
    sort_findings(findings_);
    return std::move(findings_);
  }

 private:
  Finding& of_kind(Oddity kind) {
    for (Finding& finding : findings_)
      if (finding.kind == kind) return finding;
    findings_.push_back({kind, 0, {}});
    return findings_.back();
  }

  std::size_t examples_;
  std::vector<Finding> findings_;  // few: in the order of their first record
};

}  // namespace detail
}  // namespace mrcnn::coco

#endif
