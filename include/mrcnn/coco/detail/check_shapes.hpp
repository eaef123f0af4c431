#ifndef MRCNN_COCO_DETAIL_CHECK_SHAPES_HPP
#define MRCNN_COCO_DETAIL_CHECK_SHAPES_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <variant>

#include "mrcnn/coco/detail/finding_collector.hpp"
#include "mrcnn/coco/oddity.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/coco/rle.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn::coco {

struct CheckOptions {
  /// How many examples of each finding to keep.
  std::size_t examples = 5;
  /// Pixels by which a box or polygon may reach beyond the image: rounding.
  double beyond_tolerance = 1;
  /// Pixels by which a side of a box may lie away from the bounding box of its mask. COCO's boxes are those of the
  /// polygons' vertices, and lie up to about 3 pixels from those of the masks.
  double box_tolerance = 4;
  /// The part by which an area may differ from the mask's, of the larger of the two; 10 pixels are always allowed.
  double area_tolerance = 0.25;
  /// Threads; 0: as many as the process may use.
  int threads = 0;
  /// Called now and then with the records that are done and those of the file; returns false to stop, which throws
  /// Cancelled.
  std::function<bool(index_t done, index_t total)> progress = {};
};

namespace detail {

inline void check_options(const CheckOptions& options) {
  const auto check = [](const char* name, double value) {
    if (!(value >= 0))
      throw ShapeError("CheckOptions: " + std::string(name) + " is " + std::to_string(value) +
                       ", expected a number from 0");
  };
  check("beyond_tolerance", options.beyond_tolerance);
  check("box_tolerance", options.box_tolerance);
  check("area_tolerance", options.area_tolerance);
}

/// At most six digits: what a reader wants to see.
inline std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

inline std::string box_text(const BoxXywh& box) {
  return "x " + number_text(box.x) + ", y " + number_text(box.y) + ", width " + number_text(box.width) + ", height " +
         number_text(box.height);
}

inline std::string image_name(std::int64_t id) { return "image " + std::to_string(id); }

inline bool is_finite(const BoxXywh& box) {
  return std::isfinite(box.x) && std::isfinite(box.y) && std::isfinite(box.width) && std::isfinite(box.height);
}

/// Whether masks of this size have fewer than 2^32 pixels, and some.
inline bool is_picture_size(index_t height, index_t width) {
  return height > 0 && width > 0 && height <= std::numeric_limits<std::uint32_t>::max() / width;
}

/// Whether any of the records has a box, and a mask.
struct Presence {
  bool boxes;
  bool masks;
};

/// Checks box, mask and area of one record.
class ShapeChecker {
 public:
  ShapeChecker(std::int64_t id, std::int64_t image_id, const ImageRecord* image, const CheckOptions& options,
               FindingCollector& findings)
      : id_(id), image_id_(image_id), options_(options), findings_(findings) {
    if (image == nullptr) return;
    image_known_ = true;
    height_ = image->height;
    width_ = image->width;
  }

  /// @param empty  the finding where there is no width or height
  void check_box(const std::optional<BoxXywh>& box, Presence presence, Oddity empty = Oddity::box_empty) const {
    if (!box) {
      if (presence.boxes) add(Oddity::box_missing, [&] { return "is in " + image_name(image_id_); });
    } else if (!is_finite(*box)) {
      add(Oddity::box_not_finite, [&] { return box_text(*box); });
    } else if (box->width < 0 || box->height < 0) {
      add(Oddity::box_negative, [&] { return box_text(*box); });
    } else if (box->width == 0 || box->height == 0) {
      add(empty, [&] { return box_text(*box); });
    } else if (has_size()) {
      check_borders(*box);
    }
  }

  /// The mask, if it has pixels and the size of its image.
  /// @param empty  the finding where it has no pixel
  std::optional<Rle> check_mask(const Segmentation& segmentation, Presence presence,
                                Oddity empty = Oddity::mask_empty) const {
    std::optional<Rle> mask;
    if (const auto* polygons = std::get_if<Polygons>(&segmentation)) {
      mask = check_polygons(*polygons, segmentation);
    } else if (const auto* rle = std::get_if<Rle>(&segmentation)) {
      mask = check_runs(Oddity::rle_counts, *rle, [&] {
        check_rle(*rle);
        return *rle;
      });
    } else if (const auto* compressed = std::get_if<CompressedRle>(&segmentation)) {
      mask = check_runs(Oddity::rle_string, *compressed,
                        [&] { return from_string(compressed->counts, compressed->height, compressed->width); });
    } else if (presence.masks) {
      add(Oddity::mask_missing, [&] { return "is in " + image_name(image_id_); });
    }
    if (!mask) return std::nullopt;
    if (mrcnn::coco::area(*mask) == 0) {
      add(empty, [&] { return "is in " + image_name(image_id_) + size_text(); });
      return std::nullopt;
    }
    if (mask->height != height_ || mask->width != width_) return std::nullopt;
    return mask;
  }

  void check_box_of_mask(const std::optional<BoxXywh>& box, const Rle& mask) const {
    if (!box || !is_finite(*box)) return;
    const RleBounds bounds = bounding_box(mask);
    const auto left = static_cast<double>(bounds.x);
    const auto top = static_cast<double>(bounds.y);
    const double sides[] = {box->x - left, box->y - top, box->x + box->width - left - static_cast<double>(bounds.width),
                            box->y + box->height - top - static_cast<double>(bounds.height)};
    double largest = 0;
    for (const double side : sides) largest = std::max(largest, std::fabs(side));
    if (largest <= options_.box_tolerance) return;
    add(Oddity::box_differs, [&] {
      return "box " + box_text(*box) + "; its mask's " +
             box_text({left, top, static_cast<double>(bounds.width), static_cast<double>(bounds.height)}) +
             ": off by up to " + number_text(largest);
    });
  }

  void check_area(const std::optional<double>& area, const std::optional<BoxXywh>& box,
                  const std::optional<Rle>& mask) const {
    if (!area) {
      add(Oddity::area_missing, [&] { return "is in " + image_name(image_id_); });
    } else if (!std::isfinite(*area) || *area < 0) {
      add(Oddity::area_invalid, [&] { return "area " + number_text(*area); });
    } else if (*area == 0) {
      add(Oddity::area_zero, [&] { return "is in " + image_name(image_id_); });
    } else if (mask) {
      const auto pixels = static_cast<double>(mrcnn::coco::area(*mask));
      if (differs(*area, pixels))
        add(Oddity::area_differs,
            [&] { return "area " + number_text(*area) + "; its mask has " + number_text(pixels) + " pixels"; });
    } else if (box && is_finite(*box) && box->width > 0 && box->height > 0) {
      const double limit = box->width * box->height;
      if (*area > limit && differs(*area, limit))
        add(Oddity::area_differs,
            [&] { return "area " + number_text(*area) + "; its box has " + number_text(limit) + " pixels"; });
    }
  }

 private:
  template <class Text>
  void add(Oddity kind, const Text& text) const {
    findings_.add(kind, id_, text);
  }
  bool has_size() const { return is_picture_size(height_, width_); }
  std::string size_text() const {
    return has_size() ? " of " + std::to_string(height_) + " x " + std::to_string(width_) + " (height x width)"
                      : std::string();
  }
  bool differs(double a, double b) const {
    return std::fabs(a - b) > std::max(10.0, options_.area_tolerance * std::max(a, b));
  }
  /// How far [left, right] x [top, bottom] reaches beyond the image.
  double beyond(double left, double top, double right, double bottom) const {
    return std::max({-left, -top, right - static_cast<double>(width_), bottom - static_cast<double>(height_)});
  }

  void check_borders(const BoxXywh& box) const {
    const double right = box.x + box.width;
    const double bottom = box.y + box.height;
    const auto text = [&](const std::string& how) { return box_text(box) + how + image_name(image_id_) + size_text(); };
    if (right <= 0 || bottom <= 0 || box.x >= static_cast<double>(width_) || box.y >= static_cast<double>(height_)) {
      add(Oddity::box_outside, [&] { return text(" lies outside of "); });
      return;
    }
    const double most = beyond(box.x, box.y, right, bottom);
    if (most > options_.beyond_tolerance)
      add(Oddity::box_beyond, [&] { return text(" reaches " + number_text(most) + " beyond "); });
  }

  /// Looks at each polygon; returns whether they can become a mask.
  bool check_rings(const Polygons& polygons) const {
    if (polygons.ring_ends[0] == 4) {  // boxes
      check_ring_length(0, 4);
      return std::all_of(polygons.coordinates.begin(), polygons.coordinates.end(),
                         [](double number) { return std::isfinite(number); });
    }
    bool finite = true;
    double most = 0;
    std::size_t begin = 0;
    for (std::size_t ring = 0; ring < polygons.ring_ends.size(); ++ring) {
      const std::size_t end = polygons.ring_ends[ring];
      check_ring_length(ring, end - begin);
      for (std::size_t i = begin; i < end; ++i) {
        const double value = polygons.coordinates[i];
        finite = finite && std::isfinite(value);
        const auto extent = static_cast<double>((i - begin) % 2 == 0 ? width_ : height_);
        most = std::max({most, -value, value - extent});
      }
      begin = end;
    }
    if (!finite) {
      add(Oddity::ring_not_finite, [&] { return "is in " + image_name(image_id_); });
    } else if (has_size()) {
      const auto text = [&] {
        return "reaches " + number_text(most) + " beyond " + image_name(image_id_) + size_text();
      };
      if (most > 10 * static_cast<double>(height_ + width_))
        add(Oddity::polygon_far, text);
      else if (most > options_.beyond_tolerance)
        add(Oddity::polygon_beyond, text);
    }
    return finite && polygons.ring_ends[0] > 4;
  }
  void check_ring_length(std::size_t ring, std::size_t length) const {
    const auto text = [&] {
      return "segmentation[" + std::to_string(ring) + "] has " + std::to_string(length) + " numbers";
    };
    if (ring == 0 && length == 4)
      add(Oddity::ring_box, text);
    else if (length < 6)
      add(Oddity::ring_too_short, text);
    else if (length % 2 != 0)
      add(Oddity::ring_odd, text);
  }

  std::optional<Rle> check_polygons(const Polygons& polygons, const Segmentation& segmentation) const {
    const auto& ends = polygons.ring_ends;
    if (ends.empty()) {
      add(Oddity::polygons_empty, [&] { return "is in " + image_name(image_id_); });
      return std::nullopt;
    }
    if (!std::is_sorted(ends.begin(), ends.end()) || ends.back() != polygons.coordinates.size()) {
      add(Oddity::mask_unreadable, [] { return std::string("ring_ends do not fit the coordinates"); });
      return std::nullopt;
    }
    const bool drawable = check_rings(polygons);
    if (!has_size()) {
      if (image_known_) add(Oddity::polygons_without_size, [&] { return "is in " + image_name(image_id_); });
      return std::nullopt;
    }
    if (!drawable) return std::nullopt;
    try {
      return to_rle(segmentation, height_, width_);
    } catch (const Error& error) {
      const std::string message = error.what();
      add(Oddity::mask_unreadable, [&] { return message; });
      return std::nullopt;
    }
  }

  /// Run lengths in either form; `decode` checks and returns them.
  template <class Runs, class Decode>
  std::optional<Rle> check_runs(Oddity broken, const Runs& runs, const Decode& decode) const {
    if (has_size() && (runs.height != height_ || runs.width != width_))
      add(Oddity::rle_size, [&] {
        return "its size is " + std::to_string(runs.height) + " x " + std::to_string(runs.width) + "; " +
               image_name(image_id_) + " is" + size_text().substr(3);
      });
    try {
      return decode();
    } catch (const Error& error) {
      const std::string message = error.what();
      add(broken, [&] { return message; });
      return std::nullopt;
    }
  }

  std::int64_t id_;
  std::int64_t image_id_;
  const CheckOptions& options_;
  FindingCollector& findings_;
  bool image_known_ = false;
  index_t height_ = 0;
  index_t width_ = 0;
};

}  // namespace detail
}  // namespace mrcnn::coco

#endif
