// COCO's numbers for the detections of any detector.
//
//   coco_evaluate                              a picture with two objects, made here
//   coco_evaluate instances.json results.json  files, as pycocotools reads them
#include <cstdio>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/evaluate.hpp"
#include "mrcnn/coco/report.hpp"

namespace coco = mrcnn::coco;

namespace {

coco::Annotation cat(std::int64_t id, const coco::BoxXywh& box) {
  return {.id = id, .image_id = 1, .category_id = 17, .area = box.width * box.height, .bbox = box};
}

int print(const coco::Annotations& truth, const std::vector<coco::Result>& results) {
  const coco::Evaluation evaluation = coco::evaluate(truth, results);
  std::printf("%s\n%s", coco::summary_text(evaluation).c_str(),
              coco::category_table(evaluation, truth.categories).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 3) return print(coco::read_annotations(argv[1]), coco::read_results(argv[2]));
  coco::Annotations truth;
  truth.images = {{.id = 1, .height = 480, .width = 640, .file_name = "cats.jpg"}};
  truth.categories = {{.id = 17, .name = "cat", .supercategory = "animal"}};
  truth.annotations = {cat(1, {20, 30, 200, 150}), cat(2, {300, 200, 120, 90})};
  const std::vector<coco::Result> results{
      {.image_id = 1, .category_id = 17, .score = 0.9, .bbox = coco::BoxXywh{22, 28, 198, 155}},
      {.image_id = 1, .category_id = 17, .score = 0.4, .bbox = coco::BoxXywh{330, 210, 130, 90}}};
  return print(truth, results);
} catch (const mrcnn::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
