#ifndef MRCNN_COCO_ODDITY_HPP
#define MRCNN_COCO_ODDITY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// What can be odd about an annotation or results file, with the explanations that reports print.

namespace mrcnn::coco {

enum class Severity : std::uint8_t {
  error,    ///< an evaluation or a training goes wrong: it stops, or its numbers are not what they seem
  warning,  ///< some tools stumble over it, or it is likely a mistake
  note,     ///< allowed, and good to know
};

inline const char* to_string(Severity severity) {
  return severity == Severity::error ? "error" : severity == Severity::warning ? "warning" : "note";
}

/// The kinds of findings, in the order of reports of one severity.
enum class Oddity : std::uint8_t {
  malformed_record,
  no_images,
  no_categories,
  no_annotations,
  no_results,
  // images
  duplicate_image_id,
  image_without_size,
  image_too_large,
  image_without_file_name,
  duplicate_file_name,
  image_without_annotations,
  image_file_missing,
  image_file_unreadable,
  image_file_size,
  // categories
  duplicate_category_id,
  category_without_name,
  duplicate_category_name,
  category_id_zero,
  category_without_annotations,
  // annotations and results
  duplicate_annotation_id,
  annotation_id_zero,
  crowd_flag_missing,
  unknown_image,
  unknown_category,
  repeated_object,
  // boxes
  box_missing,
  no_boxes,
  box_not_finite,
  box_negative,
  box_empty,
  box_outside,
  box_beyond,
  box_differs,
  // areas
  area_missing,
  area_invalid,
  area_zero,
  area_differs,
  // masks
  mask_missing,
  no_masks,
  mask_unreadable,
  mask_empty,
  polygons_empty,
  polygons_without_size,
  ring_too_short,
  ring_box,
  ring_odd,
  ring_not_finite,
  polygon_far,
  polygon_beyond,
  rle_size,
  rle_counts,
  rle_string,
  crowd_polygons,
  object_rle,
  // results
  result_unknown_image,
  result_unknown_category,
  result_empty,
  result_box_empty,
  result_mask_empty,
  score_not_finite,
  score_range,
  results_cut,
  many_results,
  image_without_results,
};

struct OddityText {
  Oddity kind;
  std::string_view name;  ///< as in reports in JSON
  Severity severity;
  std::string_view title;        ///< a few words
  std::string_view explanation;  ///< what it does to whom
  std::string_view fix;
};

namespace detail {

// clang-format off
inline constexpr std::array oddity_texts{
    OddityText{Oddity::malformed_record, "malformed_record", Severity::error, "malformed records",
               "A member is missing or of another kind than COCO's format has. Readers stop at it; the rest of this "
               "report leaves these records out.",
               "Give the member the value that the message expects."},
    OddityText{Oddity::no_images, "no_images", Severity::warning, "no images",
               "The file lists no images: there is nothing to train or evaluate on.",
               "Fill 'images'; each needs id, height, width and file_name."},
    OddityText{Oddity::no_categories, "no_categories", Severity::warning, "no categories",
               "The file lists no categories. Evaluation goes by the listed ones, so every number would be -1.",
               "Fill 'categories'; each needs id and name."},
    OddityText{Oddity::no_annotations, "no_annotations", Severity::note, "no annotations",
               "The file lists no objects, as files of test sets do. All numbers of an evaluation would be -1.",
               "Nothing to do for a list of images to detect in."},
    OddityText{Oddity::no_results, "no_results", Severity::warning, "no results",
               "There is not one detection. pycocotools 2.0.11 stops with IndexError when it loads such a file; here "
               "all averages of categories with objects are 0.",
               "Check the detector's confidence threshold, and that the file was written to its end."},

    OddityText{Oddity::duplicate_image_id, "duplicate_image_id", Severity::error, "images with the id of another",
               "Annotations can not tell these images apart: pycocotools keeps the last record, and evaluates the "
               "annotations of both as one image.",
               "Number the images anew, and their annotations with them."},
    OddityText{Oddity::image_without_size, "image_without_size", Severity::warning, "images without a size",
               "Height or width is missing or not above 0. Polygons in such an image can not become masks, and boxes "
               "can not be checked against its borders.",
               "Fill in height and width, in pixels, of the image file."},
    OddityText{Oddity::image_too_large, "image_too_large", Severity::error, "images of 2^32 pixels or more",
               "COCO's run lengths have 32 bits and can not describe masks of this size.",
               "Check height and width; cut the image into tiles if they are true."},
    OddityText{Oddity::image_without_file_name, "image_without_file_name", Severity::warning,
               "images without a file name",
               "Evaluation does not need the name, but nothing can load the picture.",
               "Fill in file_name, relative to the folder of the images."},
    OddityText{Oddity::duplicate_file_name, "duplicate_file_name", Severity::warning,
               "images with the file name of another",
               "One picture stands for several images: its objects are split among them, and each part seems to "
               "lack the others.",
               "Merge the records and the annotations of the images, or correct the names."},
    OddityText{Oddity::image_without_annotations, "image_without_annotations", Severity::note,
               "images without annotations",
               "Detections in them count as false. COCO has such images; many training loaders leave them out.",
               "Nothing to do if these pictures show none of the categories."},
    OddityText{Oddity::image_file_missing, "image_file_missing", Severity::error, "missing image files",
               "There is no file of this name in the folder of the images.",
               "Check the folder and the names; COCO's 2014 files lie in other folders than those of 2017."},
    OddityText{Oddity::image_file_unreadable, "image_file_unreadable", Severity::error, "unreadable image files",
               "The file is no picture, or it is damaged.", "Fetch or export the picture again."},
    OddityText{Oddity::image_file_size, "image_file_size", Severity::error, "image files of another size",
               "The picture does not have the height and width of its record, so boxes and masks lie elsewhere than "
               "they seem. Swapped sides come from a viewer that follows the camera's orientation tag.",
               "Correct the record, or use the picture that was annotated. COCO's sizes ignore the orientation tag."},

    OddityText{Oddity::duplicate_category_id, "duplicate_category_id", Severity::error,
               "categories with the id of another",
               "Annotations can not tell these categories apart: they are evaluated as one, which has the last name.",
               "Number the categories anew, and the annotations with them."},
    OddityText{Oddity::category_without_name, "category_without_name", Severity::warning,
               "categories without a name",
               "Evaluation goes by the id, but tables, and detectors that match classes by name, need the name.",
               "Fill in the name."},
    OddityText{Oddity::duplicate_category_name, "duplicate_category_name", Severity::warning,
               "categories with the name of another",
               "They are evaluated apart, so a detection under the one id misses an object under the other. Matching "
               "classes by name is not possible.",
               "Merge the categories or rename one."},
    OddityText{Oddity::category_id_zero, "category_id_zero", Severity::note, "a category with id 0",
               "Evaluation has no trouble with it, but detectors that keep class 0 for the background (torchvision, "
               "Mask R-CNN of matterport) would train these objects as background if ids were used as classes.",
               "Number the categories from 1, or map ids to classes before training."},
    OddityText{Oddity::category_without_annotations, "category_without_annotations", Severity::note,
               "categories without annotations",
               "Their numbers are -1, and they do not take part in means. What is detected of them counts for nothing.",
               "Nothing to do if the pictures show none."},

    OddityText{Oddity::duplicate_annotation_id, "duplicate_annotation_id", Severity::error,
               "annotations with the id of another",
               "pycocotools keeps the last record of an id and evaluates it as often as the id occurs: the objects of "
               "the others are lost.",
               "Number the annotations anew, from 1."},
    OddityText{Oddity::annotation_id_zero, "annotation_id_zero", Severity::error, "an annotation with id 0",
               "pycocotools 2.0.11 stores a match as the annotation's id and takes 0 for none: the detection of this "
               "object counts as false, and a perfect detector does not reach an AP of 1.",
               "Number the annotations from 1; mrcnn's evaluate has match_id_zero for files that can not change."},
    OddityText{Oddity::crowd_flag_missing, "crowd_flag_missing", Severity::error, "annotations without iscrowd",
               "pycocotools 2.0.11 stops with KeyError. mrcnn and other readers take them for single objects.",
               "Write \"iscrowd\": 0, and 1 for a group that is outlined as a whole."},
    OddityText{Oddity::unknown_image, "unknown_image", Severity::error, "annotations of unknown images",
               "No image has this id. Evaluation leaves these objects out; training loaders stop.",
               "Add the images or remove the annotations."},
    OddityText{Oddity::unknown_category, "unknown_category", Severity::error, "annotations of unknown categories",
               "No category has this id. Evaluation by category leaves these objects out; training loaders stop.",
               "Add the categories or remove the annotations."},
    OddityText{Oddity::repeated_object, "repeated_object", Severity::warning, "repetitions of an object",
               "Another one in the same image has the same category and exactly the same box. A detector can match "
               "only one of two annotations; of two equal detections the second counts as false.",
               "Remove the repetitions."},

    OddityText{Oddity::box_missing, "box_missing", Severity::error, "records without a box",
               "Others have one. pycocotools 2.0.11 stops with KeyError when it evaluates boxes.",
               "Fill in bbox (x, y, width, height); the bounding box of the mask will do."},
    OddityText{Oddity::no_boxes, "no_boxes", Severity::note, "no boxes at all",
               "Only masks can be evaluated.", "Fill in the bounding boxes of the masks to evaluate boxes too."},
    OddityText{Oddity::box_not_finite, "box_not_finite", Severity::error, "boxes with NaN or infinity",
               "pycocotools 2.0.11 takes an overlap of NaN for a match with any detection; a training loses its "
               "weights to NaN.",
               "Find the division by zero where it was computed."},
    OddityText{Oddity::box_negative, "box_negative", Severity::error, "boxes with a negative width or height",
               "Such a box overlaps nothing. COCO's boxes are x, y, width, height; corners in another order look so.",
               "Write the upper left corner and the extents."},
    OddityText{Oddity::box_empty, "box_empty", Severity::error, "boxes without width or height",
               "Such a box overlaps nothing: an object with it counts as missed whatever is detected, and the "
               "logarithm of its extents makes training losses infinite.",
               "Remove these records or correct the boxes."},
    OddityText{Oddity::box_outside, "box_outside", Severity::error, "boxes outside of their image",
               "No pixel of the image lies inside. Boxes in another scale, relative to a crop or of another image "
               "look so.",
               "Give the boxes in pixels of the image of image_id."},
    OddityText{Oddity::box_beyond, "box_beyond", Severity::warning, "boxes that reach beyond their image",
               "What lies beyond takes part in the overlap, so a detector whose boxes are cut at the border reaches "
               "less than 1. Corners (x1, y1, x2, y2) instead of width and height look so too.",
               "Cut the boxes at the border of the image."},
    OddityText{Oddity::box_differs, "box_differs", Severity::warning, "boxes that are not those of their masks",
               "A side lies elsewhere than the mask's bounding box. Evaluating boxes and masks looks at different "
               "objects, and networks that take boxes from masks (Mask R-CNN of matterport) train on other boxes.",
               "Compute the boxes from the masks, or mend the mask: a lost part makes the box too large."},

    OddityText{Oddity::area_missing, "area_missing", Severity::error, "annotations without an area",
               "The area sorts objects into small, medium and large. pycocotools 2.0.11 stops with KeyError.",
               "Fill in the number of pixels of the mask, or width * height of the box where there is no mask."},
    OddityText{Oddity::area_invalid, "area_invalid", Severity::error, "areas that are negative or not finite",
               "A negative or infinite area belongs to no range, so the object is ignored: it is neither found nor "
               "missed. NaN counts in every range.",
               "Fill in the number of pixels of the mask."},
    OddityText{Oddity::area_zero, "area_zero", Severity::warning, "areas of 0",
               "The object counts as a small one. Some tools leave it out: pycocotools' getAnnIds with an area range "
               "takes only areas above its lower end.",
               "Fill in the number of pixels of the mask."},
    OddityText{Oddity::area_differs, "area_differs", Severity::warning, "areas that are not those of the masks",
               "The area decides whether an object is small, medium or large; one that is off puts it into another "
               "row. Where there is no mask, the box is compared, which no area should exceed.",
               "Fill in the number of pixels of the mask."},

    OddityText{Oddity::mask_missing, "mask_missing", Severity::error, "records without a mask",
               "Others have one. pycocotools 2.0.11 stops with KeyError when it evaluates masks; of a result with a box "
               "it takes the box.",
               "Fill in segmentation, or leave these records out when masks are evaluated."},
    OddityText{Oddity::no_masks, "no_masks", Severity::note, "no masks at all", "Only boxes can be evaluated.",
               "Nothing to do for a data set of boxes."},
    OddityText{Oddity::mask_unreadable, "mask_unreadable", Severity::error, "masks that can not be made",
               "The shape can not be turned into pixels.", "See the message."},
    OddityText{Oddity::mask_empty, "mask_empty", Severity::error, "masks without a pixel",
               "Nothing overlaps such a mask: the object counts as missed whatever is detected. Slivers thinner than "
               "a pixel, polygons outside of the image and lost coordinates look so.",
               "Correct the shape or remove the record."},
    OddityText{Oddity::polygons_empty, "polygons_empty", Severity::error, "segmentations without a polygon",
               "The list is empty. pycocotools 2.0.11 stops with IndexError when it evaluates masks.",
               "Leave segmentation out where there is no mask, or fill it in."},
    OddityText{Oddity::polygons_without_size, "polygons_without_size", Severity::error,
               "polygons in images without a size",
               "How many pixels the mask has is not known; pycocotools stops with KeyError, or masks match nothing.",
               "Fill in height and width of the image."},
    OddityText{Oddity::ring_too_short, "ring_too_short", Severity::error, "polygons of fewer than three vertices",
               "Fewer than 6 numbers enclose nothing; a first polygon of fewer than 4 stops pycocotools 2.0.11.",
               "Remove these polygons."},
    OddityText{Oddity::ring_box, "ring_box", Severity::error, "first polygons of 4 numbers",
               "pycocotools takes a list that begins with 4 numbers for boxes x, y, width, height, not for two "
               "vertices; 2.0.11 stops with TypeError when it evaluates such a mask.",
               "Write a rectangle as its four corners."},
    OddityText{Oddity::ring_odd, "ring_odd", Severity::error, "polygons with an odd count of numbers",
               "The last vertex has no y. pycocotools leaves it out; if a number was lost in between, all behind it "
               "have x and y exchanged.",
               "Write x and y of each vertex."},
    OddityText{Oddity::ring_not_finite, "ring_not_finite", Severity::error, "polygons with NaN or infinity",
               "pycocotools 2.0.11 takes all memory that there is for such a polygon.",
               "Find the division by zero where it was computed."},
    OddityText{Oddity::polygon_far, "polygon_far", Severity::error, "polygons far beyond their image",
               "A vertex lies more than ten times the image's extents away. pycocotools walks the way there pixel by "
               "pixel, which takes time and memory.",
               "Give the vertices in pixels of the image of image_id."},
    OddityText{Oddity::polygon_beyond, "polygon_beyond", Severity::warning, "polygons that reach beyond their image",
               "The mask ends at the border, so its area and its box are smaller than the polygon's.",
               "Cut the polygons at the border of the image."},
    OddityText{Oddity::rle_size, "rle_size", Severity::error, "run lengths of another size than their image",
               "Masks of different sizes never match: the object counts as missed, the detection as false. Swapped "
               "height and width look so: size is [height, width].",
               "Encode the mask at the size of the image."},
    OddityText{Oddity::rle_counts, "rle_counts", Severity::error, "run lengths that do not add up",
               "The counts must add up to height * width. pycocotools 2.0.11 does not look: with too many pixels its "
               "overlap never ends.",
               "Encode the mask again; the last count is the pixels behind the last run."},
    OddityText{Oddity::rle_string, "rle_string", Severity::error, "compressed run lengths that can not be read",
               "A character can not occur, a number breaks off, or the counts do not add up to height * width. A "
               "string that was escaped twice or cut looks so.",
               "Encode the mask again."},
    OddityText{Oddity::crowd_polygons, "crowd_polygons", Severity::warning, "crowds with polygons",
               "COCO's crowds are run lengths, and loaders that decide by iscrowd how to decode stumble.",
               "Check that iscrowd is meant, or write the crowd as run lengths."},
    OddityText{Oddity::object_rle, "object_rle", Severity::note, "single objects with run lengths",
               "Allowed, and read by evaluation; loaders that know only COCO's own files expect polygons here.",
               "Nothing to do unless your loader stumbles."},

    OddityText{Oddity::result_unknown_image, "result_unknown_image", Severity::error, "results for unknown images",
               "No image of the annotation file has this id. pycocotools refuses such a file altogether.",
               "Use the annotation file of the pictures that were detected in; check how image_id was made."},
    OddityText{Oddity::result_unknown_category, "result_unknown_category", Severity::warning,
               "results of unknown categories",
               "No category of the annotation file has this id, so they count for nothing. Class indices in place of "
               "COCO's ids, which have gaps, look so.",
               "Map the detector's classes to the ids of the annotation file."},
    OddityText{Oddity::result_empty, "result_empty", Severity::error, "results with neither box nor mask",
               "There is nothing to compare with an object.", "Write bbox, segmentation or both."},
    OddityText{Oddity::result_box_empty, "result_box_empty", Severity::warning, "boxes without width or height",
               "Such a box overlaps nothing: the detection counts as false.", "Leave these detections out."},
    OddityText{Oddity::result_mask_empty, "result_mask_empty", Severity::warning, "masks without a pixel",
               "Such a mask overlaps nothing: the detection counts as false. Masks of small boxes look so when no value "
               "of theirs reaches the threshold.",
               "Leave these detections out."},
    OddityText{Oddity::score_not_finite, "score_not_finite", Severity::error, "scores that are NaN or infinite",
               "Detections are ranked by score, and NaN has no rank: what it gets is up to the sorting.",
               "Find where the score was computed; a network whose weights are NaN gives such scores."},
    OddityText{Oddity::score_range, "score_range", Severity::warning, "scores outside of [0, 1]",
               "Only the order counts, so evaluation has no trouble, but percentages, logits or a mix of scales look "
               "so.",
               "Write probabilities, all on one scale."},
    OddityText{Oddity::results_cut, "results_cut", Severity::note,
               "more than 100 results of one category in an image",
               "COCO's evaluation looks at the 100 of highest score of each category in an image; the others count "
               "for nothing.",
               "Nothing to do; leaving them out makes the file smaller."},
    OddityText{Oddity::many_results, "many_results", Severity::note, "images with more than 100 results",
               "The 100 detections of COCO's evaluation are counted for each category in an image, so these all take "
               "part; detectors in the literature keep 100 for an image in all.",
               "Keep the 100 of highest score of each image to compare with published numbers."},
    OddityText{Oddity::image_without_results, "image_without_results", Severity::note, "images without results",
               "Their objects count as missed.", "Nothing to do if nothing was found; else run these images too."},
};
// clang-format on

constexpr bool oddities_are_in_order() {
  for (std::size_t i = 0; i < oddity_texts.size(); ++i)
    if (static_cast<std::size_t>(oddity_texts[i].kind) != i) return false;
  return oddity_texts.size() == static_cast<std::size_t>(Oddity::image_without_results) + 1;
}
static_assert(oddities_are_in_order());

}  // namespace detail

/// What the ids of a finding's examples are ids of.
enum class Subject : std::uint8_t {
  file,  ///< no ids
  image,
  category,
  object,  ///< an annotation, or a result, which goes by its position in the file, from 0
};

inline Subject subject_of(Oddity kind) {
  if (kind <= Oddity::no_results || kind == Oddity::no_boxes || kind == Oddity::no_masks) return Subject::file;
  if (kind <= Oddity::image_file_size || kind >= Oddity::results_cut) return Subject::image;
  return kind <= Oddity::category_without_annotations ? Subject::category : Subject::object;
}

/// Name, severity and explanation of a kind of finding.
inline const OddityText& describe(Oddity kind) { return detail::oddity_texts[static_cast<std::size_t>(kind)]; }

}  // namespace mrcnn::coco

#endif
