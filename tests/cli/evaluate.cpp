// The program `mrcnn evaluate`, run as a user runs it: on results files whose numbers can be told by hand, and on a small
// network with seeded weights.

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "tests/support/image_files.hpp"
#include "tests/support/program.hpp"
#include "tests/support/small_weights.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

/// An instances file, written as text.
struct InstancesFile {
  std::vector<std::string> images;
  std::vector<std::string> annotations;
  std::vector<std::string> categories{R"({"id":3,"name":"cat"})", R"({"id":7,"name":"dog"})"};

  void image(int id, int height, int width, const std::string& file_name) {
    images.push_back(R"({"id":)" + std::to_string(id) + R"(,"height":)" + std::to_string(height) + R"(,"width":)" +
                     std::to_string(width) + R"(,"file_name":")" + file_name + R"("})");
  }
  /// A rectangle of whole pixels, with its outline as mask.
  void object(int id, int image_id, int category_id, int x, int y, int width, int height) {
    const auto text = [](int number) { return std::to_string(number); };
    annotations.push_back(R"({"id":)" + text(id) + R"(,"image_id":)" + text(image_id) + R"(,"category_id":)" +
                          text(category_id) + R"(,"iscrowd":0,"area":)" + text(width * height) + R"(,"bbox":[)" +
                          text(x) + "," + text(y) + "," + text(width) + "," + text(height) + R"(],"segmentation":[[)" +
                          text(x) + "," + text(y) + "," + text(x) + "," + text(y + height) + "," + text(x + width) +
                          "," + text(y + height) + "," + text(x + width) + "," + text(y) + "]]}");
  }
  static std::string list(const std::vector<std::string>& records) {
    std::string text = "[";
    for (const auto& record : records) text += (text.size() > 1 ? "," : "") + record;
    return text + "]";
  }
  std::string text() const {
    return R"({"images":)" + list(images) + R"(,"annotations":)" + list(annotations) + R"(,"categories":)" +
           list(categories) + "}";
  }
};

std::string result(int image_id, int category_id, const std::string& box, const std::string& score) {
  return R"({"image_id":)" + std::to_string(image_id) + R"(,"category_id":)" + std::to_string(category_id) +
         R"(,"bbox":[)" + box + R"(],"score":)" + score + "}";
}

/// The first 20 pixels of the first column of the first picture.
std::string mask_result(const std::string& more) {
  std::string counts;
  io::append_json_string(counts, coco::to_string(coco::Rle{200, 200, {0, 20, 39980}}));
  return R"({"image_id":1,"category_id":3,"score":0.9)" + more + R"(,"segmentation":{"size":[200,200],"counts":)" +
         counts + "}}";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A folder with two pictures' objects: a small cat, a medium cat and a large dog in the first, a small dog in the second.
struct Problem {
  TemporaryFolder folder;
  std::string annotations = folder / "instances.json";
  std::string results = folder / "found.json";
  InstancesFile file;
  std::vector<std::string> perfect{result(1, 3, "10,10,20,20", "0.9"), result(1, 3, "40,40,50,50", "0.8"),
                                   result(1, 7, "0,100,150,100", "0.7"), result(2, 7, "5,6,7,8", "0.6")};

  Problem() {
    file.image(1, 200, 200, "one.png");
    file.image(2, 100, 200, "two.png");
    file.object(11, 1, 3, 10, 10, 20, 20);
    file.object(12, 1, 3, 40, 40, 50, 50);
    file.object(13, 1, 7, 0, 100, 150, 100);
    file.object(14, 2, 7, 5, 6, 7, 8);
    write_file(annotations, file.text());
  }
  ProgramResult evaluate(const std::string& records, std::vector<std::string> more = {}) const {
    write_file(results, records);
    more.insert(more.begin(), {"evaluate", "--annotations", annotations, "--results", results});
    return run_program(more);
  }
  ProgramResult evaluate(const std::vector<std::string>& records, const std::vector<std::string>& more = {}) const {
    return evaluate(InstancesFile::list(records), more);
  }
  /// The 12 numbers of one kind of comparison.
  std::vector<double> stats(const std::vector<std::string>& records, std::vector<std::string> more = {},
                            const std::string& type = "bbox") const {
    more.insert(more.end(), {"--json", folder / "metrics.json"});
    const auto run = evaluate(records, more);
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    return io::JsonDocument::open(folder / "metrics.json").root()[type]["stats"].numbers();
  }
  /// The run must fail in one line that holds all the texts, and leave nothing behind.
  void fails(int status, const std::string& records, const std::vector<std::string>& more,
             const std::vector<std::string>& texts) const {
    write_file(results, records);
    const int before = folder.entries();
    const auto run = evaluate(records, more);
    CAPTURE(run.err);
    CHECK(run.status == status);
    CHECK(run.error_lines() == 1);
    CHECK(run.out.empty());
    for (const auto& text : texts) CHECK_MESSAGE(contains(run.err, text), text);
    CHECK(folder.entries() == before);
  }
};

}  // namespace

TEST_CASE("evaluate: a perfect detector has the number 1 everywhere, a cat or dog a picture at AR1") {
  const Problem problem;
  std::vector<double> expected(12, 1.0);
  expected[6] = 0.75;  // one of the two cats of the first picture is found with one detection; both dogs are
  const auto stats = problem.stats(problem.perfect);
  for (std::size_t i = 0; i < 12; ++i) CHECK(stats[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("evaluate: the summary is pycocotools' to the character, with a table of the categories behind it") {
  const Problem problem;
  const auto run = problem.evaluate(problem.perfect);
  REQUIRE(run.status == 0);
  CHECK(run.err.empty());
  const std::string expected =
      " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 1.000\n"
      " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 1.000\n"
      " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 1.000\n"
      " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 1.000\n"
      " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 1.000\n"
      " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 1.000\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.750\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 1.000\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 1.000\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 1.000\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 1.000\n"
      " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 1.000\n";
  const std::size_t at = run.out.find(expected);
  REQUIRE(at != std::string::npos);
  CHECK(run.out.find("cat", at) != std::string::npos);
  CHECK(run.out.find("dog", at) != std::string::npos);
  CHECK(contains(run.out, "2 pictures, 4 annotations, 2 categories"));
  CHECK(contains(run.out, "found.json: 4 detections"));
  CHECK(contains(run.out, "bbox:\n"));
  CHECK(!contains(run.out, "segm:\n"));
}

TEST_CASE("evaluate: hit, miss, hit on three objects is the published 0.554455") {
  Problem problem;
  problem.file = {};
  problem.file.image(1, 100, 100, "one.png");
  for (int i = 0; i < 3; ++i) problem.file.object(i + 1, 1, 3, 30 * i, 0, 20, 20);
  write_file(problem.annotations, problem.file.text());
  const auto stats = problem.stats(
      {result(1, 3, "0,0,20,20", "0.9"), result(1, 3, "0,60,20,20", "0.8"), result(1, 3, "30,0,20,20", "0.7")});
  CHECK(stats[0] == doctest::Approx(0.554455).epsilon(1e-6));
  CHECK(stats[8] == doctest::Approx(2.0 / 3).epsilon(1e-12));
  CHECK(stats[5] == -1);
}

TEST_CASE("evaluate: the metrics have the numbers by name, in order and for each category") {
  const Problem problem;
  const std::vector<std::string> cats(problem.perfect.begin(), problem.perfect.begin() + 2);
  CHECK(problem.stats(cats, {"--iou-type", "segm,bbox"})[0] == doctest::Approx(0.5));
  const auto document = io::JsonDocument::open(problem.folder / "metrics.json");
  CHECK(document.root().size() == 2);
  for (const std::string type : {"bbox", "segm"}) {
    const auto metrics = document.root()[type];
    const auto stats = metrics["stats"].numbers();
    REQUIRE(stats.size() == 12);
    const std::vector<std::string> names{"AP",  "AP50", "AP75",  "APs", "APm", "APl",
                                         "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};
    for (std::size_t i = 0; i < 12; ++i) CHECK(metrics[names[i]].number() == stats[i]);
    CHECK(metrics["per_category"].size() == 2);
  }
}

TEST_CASE("evaluate: what is compared follows from the results, or is told") {
  const Problem problem;
  const std::string mask = mask_result("");
  const auto boxes = problem.evaluate(problem.perfect);
  CHECK((contains(boxes.out, "bbox:\n") && !contains(boxes.out, "segm:\n")));
  const auto masks = problem.evaluate(std::vector<std::string>{mask});
  CHECK((contains(masks.out, "bbox:\n") && contains(masks.out, "segm:\n")));
  const auto both = problem.evaluate(problem.perfect, {"--iou-type", "segm,boundary"});
  CHECK(both.status == 0);
  CHECK((!contains(both.out, "bbox:\n") && contains(both.out, "segm:\n") && contains(both.out, "boundary:\n")));
  CHECK(both.error_lines() == 1);
  CHECK(contains(both.err, "found.json: 4 of 4 results have no mask, and their boxes are compared as masks"));
  CHECK(boxes.err.empty());
  CHECK(problem.evaluate(std::vector<std::string>{mask}, {"--iou-type", "segm"}).err.empty());
}

TEST_CASE("evaluate: masks of annotations that have none are not compared, and a line says so") {
  Problem problem;
  problem.file.annotations[1] =
      R"({"id":12,"image_id":1,"category_id":3,"iscrowd":0,"area":2500,"bbox":[40,40,50,50],"segmentation":[]})";
  write_file(problem.annotations, problem.file.text());
  const std::string mask = mask_result(R"(,"bbox":[0,0,1,20])");
  const auto run = problem.evaluate(std::vector<std::string>{mask});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "masks are not compared, since annotation 12 has none"));
  CHECK(!contains(run.out, "segm:\n"));
}

TEST_CASE("evaluate: no results give zeros, no annotations give -1, and a line says so") {
  Problem problem;
  CHECK(problem.stats({}) == std::vector<double>(12, 0.0));
  CHECK(contains(problem.evaluate("[]").out, "there are no detections"));
  problem.file.annotations.clear();
  write_file(problem.annotations, problem.file.text());
  CHECK(problem.stats(problem.perfect) == std::vector<double>(12, -1.0));
  CHECK(contains(problem.evaluate(problem.perfect).out, "there are no annotations: every number is -1"));
  CHECK(problem.stats({}) == std::vector<double>(12, -1.0));
  CHECK(contains(problem.evaluate("[]").out, "there are no annotations and no detections: every number is -1"));
}

TEST_CASE("evaluate: results of unknown categories are ignored with one warning") {
  const Problem problem;
  auto records = problem.perfect;
  for (const int category : {4, 5, 6, 8, 9}) records.push_back(result(1, category, "0,0,5,5", "0.99"));
  CHECK(problem.stats(records) == problem.stats(problem.perfect));
  const auto run = problem.evaluate(records);
  CHECK(run.status == 0);
  CHECK(run.error_lines() == 1);
  CHECK(contains(run.err, "5 of 9 results are ignored: 5 categories (4, 5, 6, ...)"));
}

TEST_CASE("evaluate: odd annotations and results are counted, a line for each kind") {
  Problem problem;
  problem.file.object(11, 1, 3, 190, 190, 50, 50);  // an id again, outside
  problem.file.object(15, 9, 3, 0, 0, 5, 5);
  problem.file.object(16, 1, 9, 0, 0, 5, 5);
  write_file(problem.annotations, problem.file.text());
  auto records = problem.perfect;
  records.push_back(records[0]);
  records.push_back(result(2, 7, "0,90,10,30", "0.2"));
  const auto run = problem.evaluate(records);
  CHECK(run.status == 0);
  CHECK(run.error_lines() == 6);
  for (const std::string text :
       {"1 of 7 annotations have the id of another one", "belong to a picture that the file does not have",
        "belong to a category that the file does not have", "1 of 7 annotations have a box that reaches out",
        "1 of 6 results have a box that reaches out of its picture (first: result 5)",
        "1 of 6 results are the same as an earlier one (first: result 4)"})
    CHECK_MESSAGE(contains(run.err, text), text);
}

TEST_CASE("evaluate: a match with annotation 0 counts as none, as in pycocotools, unless it is told to count") {
  Problem problem;
  problem.file = {};
  problem.file.image(1, 100, 100, "one.png");
  for (int i = 0; i < 3; ++i) problem.file.object(i, 1, 3, 30 * i, 0, 20, 20);
  write_file(problem.annotations, problem.file.text());
  const std::vector<std::string> records{result(1, 3, "0,0,20,20", "0.9"), result(1, 3, "30,0,20,20", "0.8"),
                                         result(1, 3, "60,0,20,20", "0.7")};
  CHECK(problem.stats(records)[0] == doctest::Approx(0.442).epsilon(1e-3));
  CHECK(problem.stats(records, {"--match-id-zero"})[0] == doctest::Approx(1));
  CHECK(contains(problem.evaluate(records).err, "an annotation has id 0"));
  CHECK(problem.evaluate(records, {"--match-id-zero"}).err.empty());
}

TEST_CASE("evaluate: a part of the pictures, the first by id or those that are named") {
  const Problem problem;
  const std::vector<std::string> first(problem.perfect.begin(), problem.perfect.begin() + 3);
  const auto whole = problem.stats(first);
  CHECK(whole[0] == doctest::Approx((1.0 + 0.504950495) / 2));  // the second dog is missed
  CHECK(problem.stats(first, {"--limit", "1"})[0] == doctest::Approx(1));
  CHECK(problem.stats(first, {"--limit", "5"}) == whole);
  CHECK(problem.stats(first, {"--image-ids", "1"})[0] == doctest::Approx(1));
  CHECK(problem.stats(first, {"--image-ids", "2,1"}) == whole);
  CHECK(problem.stats(first, {"--image-ids", "2"})[0] == 0);
  CHECK(problem.stats(first, {"--image-ids", "2,1,1", "--limit", "1"})[0] == doctest::Approx(1));
  write_file(problem.folder / "ids.txt", "2\n1,\n\n");
  CHECK(problem.stats(first, {"--image-ids", problem.folder / "ids.txt"}) == whole);
  CHECK(contains(problem.evaluate(problem.perfect, {"--limit", "1"}).out, "found.json: 3 detections"));
  const std::string list = InstancesFile::list(first);
  problem.fails(1, list, {"--image-ids", "1,5"}, {"--image-ids: 5 is no picture of ", "instances.json"});
  problem.fails(2, list, {"--image-ids", "1,x"}, {"--image-ids is '1,x'", "expected ids such as"});
  write_file(problem.folder / "ids.txt", "1 2 three");
  problem.fails(1, list, {"--image-ids", problem.folder / "ids.txt"}, {"ids.txt: is not a list of image ids"});
}

TEST_CASE("evaluate: results that belong to nothing, or are not comparable, end the run") {
  const Problem problem;
  problem.fails(1, InstancesFile::list({problem.perfect[0], result(99, 3, "1,2,3,4", "0.5")}), {},
                {"found.json: result 1: image_id is 99, which ", "does not have"});
  problem.fails(1, InstancesFile::list({result(1, 3, "1,2,3,4", "NaN")}), {}, {"found.json"});
  problem.fails(1, InstancesFile::list({R"({"image_id":1,"category_id":3,"score":0.5})"}), {}, {"found.json"});
  problem.fails(1, "{}", {}, {"found.json"});
  problem.fails(1, "", {}, {"found.json"});
  const std::string whole = InstancesFile::list(problem.perfect);
  for (const std::size_t size : {std::size_t{1}, std::size_t{20}, whole.size() - 1})
    problem.fails(1, whole.substr(0, size), {}, {"found.json"});
  problem.fails(1, "[]", {"--json", problem.folder / "no/folder.json"}, {"no/folder.json: can not be written"});
}

TEST_CASE("evaluate: annotation files that are missing or damaged") {
  const Problem problem;
  const auto fails = [&](const std::string& path, const std::string& text) {
    const auto run = run_program({"evaluate", "--annotations", path, "--results", problem.results});
    CAPTURE(run.err);
    CHECK(run.status == 1);
    CHECK(run.error_lines() == 1);
    CHECK(contains(run.err, text));
  };
  write_file(problem.results, "[]");
  fails(problem.folder / "none.json", "none.json: can not be opened: no such file");
  const std::string whole = file_bytes(problem.annotations);
  write_file(problem.folder / "cut.json", whole.substr(0, whole.size() / 2));
  fails(problem.folder / "cut.json", "cut.json");
  write_file(problem.folder / "list.json", "[]");
  fails(problem.folder / "list.json", "list.json");
}

TEST_CASE("evaluate: command lines that make no sense") {
  const Problem problem;
  write_file(problem.results, "[]");
  const auto fails = [&](const std::vector<std::string>& words, const std::string& text) {
    std::vector<std::string> all{"evaluate"};
    all.insert(all.end(), words.begin(), words.end());
    const auto run = run_program(all);
    CAPTURE(run.err);
    CHECK(run.status == 2);
    CHECK(run.error_lines() == 1);
    CHECK(contains(run.err, text));
    CHECK(run.out.empty());
  };
  const std::string a = problem.annotations;
  const std::string r = problem.results;
  fails({}, "--annotations is missing");
  fails({"--results", r}, "--annotations is missing");
  fails({"--annotations", a}, "nothing to evaluate");
  fails({"--annotations", a, "--images", "d"}, "nothing to evaluate");
  fails({"--annotations", a, "--results", r, "--weights", "w"}, "--results and --weights are both given");
  fails({"--annotations", a, "--weights", "w"}, "--weights needs --images");
  fails({"--annotations", a, "--results", r, "--images", "d"}, "--images has no use");
  fails({"--annotations", a, "--results", r, "--resume"}, "--resume is for a network");
  fails({"--annotations", a, "--results", r, "--classes", "a"}, "--classes is for a network");
  fails({"--annotations", a, "--weights", "w", "--images", "d", "--resume"}, "--resume needs --output");
  fails({"--annotations", a, "--results", r, "--iou-type", "box"}, "--iou-type is 'box', expected a list of");
  fails({"--annotations", a, "--results", r, "--iou-type", "bbox,"}, "--iou-type is 'bbox,'");
  fails({"--annotations", a, "--results", r, "--iou-type", "bbox,bbox"}, "names bbox twice");
  fails({"--annotations", a, "--results", r, "--limit", "0"}, "--limit is '0'");
  fails({"--annotations", a, "--results", r, "--json", a}, "would be overwritten");
  fails({"--annotations", a, "--results", r, "--misses", "3"}, "--misses has no use without --output and --images");
  fails({"--annotations", a, "--weights", "w", "--images", "d", "--misses", "3"}, "--misses has no use without");
  const std::string out = problem.folder / "out";
  for (const std::string name :
       {"precision-recall-bbox.png", "precision-recall-segm-categories.png", "miss-boundary-001-one.png"}) {
    fails({"--annotations", a, "--results", r, "--output", out, "--json", out + "/" + name},
          name + ": is the name of a picture that --output makes");
    fails({"--annotations", a, "--results", r, "--output", out, "--json", out + "/../out//" + name}, "is the name of");
    fails({"--annotations", a, "--weights", "w", "--images", "d", "--output", out + "/", "--results-out",
           out + "/" + name},
          "is the name of");
  }
  CHECK(!std::filesystem::exists(out));
  CHECK(problem.evaluate("[]", {"--output", out, "--json", problem.folder / "precision-recall-bbox.png"}).status == 0);
  fails({"--annotations", a, "--results", r, "extra"}, "'extra' is no option");
  fails({"--annotations", a, "--results", r, "--ouput", "d"}, "--output");
}

TEST_CASE("evaluate: the help tells every option, with examples") {
  const auto help = run_program({"evaluate", "--help"});
  CHECK(help.status == 0);
  for (const std::string text : {"--annotations", "--results", "--images", "--weights", "--iou-type", "--limit",
                                 "--image-ids", "--json", "--output", "--resume", "--results-out", "Examples"})
    CHECK_MESSAGE(contains(help.out, text), text);
  CHECK(contains(run_program({"--help"}).out, "mrcnn evaluate"));
}

TEST_CASE("evaluate: what kinds of errors there are, when asked") {
  const Problem problem;
  const std::vector<std::string> records{problem.perfect[0], result(1, 7, "40,40,50,50", "0.8")};
  CHECK(!contains(problem.evaluate(records).out, "dAP"));
  const auto run = problem.evaluate(records, {"--errors", "--iou-type", "bbox,segm"});
  CHECK(run.status == 0);
  for (const std::string text :
       {"errors               count     dAP\n", "classification           1 ", "missed                   2 "})
    CHECK_MESSAGE(run.out.find(text) != run.out.rfind(text), text);  // for boxes and for masks
}

TEST_CASE("evaluate: numbers as JSON can follow the tables on the standard output") {
  const Problem problem;
  const auto run = problem.evaluate(problem.perfect, {"--json", "-"});
  REQUIRE(run.status == 0);
  const std::size_t at = run.out.rfind("\n{") + 1;
  CHECK(io::JsonDocument::parse(run.out.substr(at), "out").root()["bbox"]["AP"].number() == doctest::Approx(1));
}

TEST_CASE("evaluate: pictures of curves and of what was missed") {
  const Problem problem;
  std::filesystem::create_directory(problem.folder / "images");
  io::write_png(problem.folder / "images/one.png", random_picture(200, 200, 1));
  io::write_png(problem.folder / "images/two.png", random_picture(100, 200, 2));
  const std::vector<std::string> records{problem.perfect[1], result(1, 7, "100,20,60,60", "0.95")};
  const std::string out = problem.folder / "out";
  const auto run = problem.evaluate(records, {"--images", problem.folder / "images", "--output", out});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(io::read_image(out + "/precision-recall-bbox.png").width > 100);
  CHECK(io::read_image(out + "/precision-recall-bbox-categories.png").width > 100);
  const Image drawn = io::read_image(out + "/miss-bbox-001-one.png");
  CHECK((drawn.height == 200 && drawn.width == 200));
  CHECK(drawn.pixels != io::read_image(problem.folder / "images/one.png").pixels);
  CHECK(std::filesystem::exists(out + "/miss-bbox-002-two.png"));
  CHECK(std::distance(std::filesystem::directory_iterator(out), {}) == 4);

  std::filesystem::remove(problem.folder / "images/two.png");
  std::filesystem::remove_all(out);
  const auto lacking = problem.evaluate(records, {"--images", problem.folder / "images", "--output", out});
  CHECK(lacking.status == 1);
  CHECK(lacking.error_lines() == 1);
  CHECK(contains(lacking.err, "not drawn: "));
  CHECK(contains(lacking.out, "bbox:\n"));
  CHECK(std::distance(std::filesystem::directory_iterator(out), {}) == 3);

  std::filesystem::remove_all(out);
  REQUIRE(problem.evaluate(records, {"--output", out}).status == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(out), {}) == 2);
}

// The network.

namespace {

/// A folder with a small model, pictures and their annotations.
struct NetworkProblem {
  TemporaryFolder folder;
  std::string weights = folder / "weights.safetensors";
  std::string annotations = folder / "instances.json";
  std::string images = folder / "images";
  std::string out = folder / "out";
  std::string results = out + "/results.json";
  MaskRCNNConfig config = small_config();
  InstancesFile file;

  explicit NetworkProblem(int pictures = 5) {
    write_small_weights(weights, config, {"square", "circle", "triangle"});
    std::filesystem::create_directory(images);
    file.categories = {R"({"id":20,"name":"triangle"})", R"({"id":5,"name":"square"})", R"({"id":9,"name":"circle"})"};
    for (int id = 1; id <= pictures; ++id) {
      const std::string name = std::to_string(id) + ".png";
      io::write_png(images + "/" + name, picture(id));
      file.image(id, 60 + id, 90 - id, name);
      file.object(id, id, id % 2 == 0 ? 5 : 9, 5, 5, 30, 30);
    }
    write_file(annotations, file.text());
  }
  static Image picture(int id) { return random_picture(60 + id, 90 - id, static_cast<std::uint64_t>(id)); }
  std::vector<std::string> words(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"evaluate", "--annotations", annotations, "--images", images, "--weights", weights};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ProgramResult evaluate(const std::vector<std::string>& more) const { return run_program(words(more)); }
  /// With --output and --json.
  ProgramResult evaluate_into(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--output", out, "--misses", "0", "--json", folder / "metrics.json"});
    return evaluate(more);
  }
  std::string metrics() const { return file_bytes(folder / "metrics.json"); }
  /// The run must fail in one line with these texts.
  void fails(int status, const std::vector<std::string>& more, const std::vector<std::string>& texts) const {
    const auto run = evaluate(more);
    CAPTURE(run.err);
    CHECK(run.status == status);
    CHECK(run.error_lines() == 1);
    CHECK(run.out.empty());
    for (const auto& text : texts) CHECK_MESSAGE(contains(run.err, text), text);
  }
};

}  // namespace

TEST_CASE("evaluate: the results of a network are what the library finds, as COCO's records") {
  const NetworkProblem problem;
  const auto run = problem.evaluate_into();
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(run.err.empty());
  CHECK(contains(run.out, "classes and categories: matched by name"));
  CHECK((contains(run.out, "bbox:\n") && contains(run.out, "segm:\n")));

  MaskRCNN<HostBackend> model(HostBackend(1), problem.config);
  load_weights(model, io::open_weights(problem.weights));
  const auto document = io::JsonDocument::open(problem.results);
  index_t position = 0;
  const std::vector<std::int64_t> categories{5, 9, 20};
  for (int id = 1; id <= 5; ++id) {
    for (const Detection& detection : model.detect(NetworkProblem::picture(id))) {
      const auto record = document.root().at(position++);
      CHECK(record.size() == 5);
      CHECK(record["image_id"].integer() == id);
      CHECK(record["category_id"].integer() == categories[static_cast<std::size_t>(detection.class_id) - 1]);
      CHECK(record["score"].number() == doctest::Approx(detection.score).epsilon(1e-4));
      const Box& box = detection.box;
      CHECK(record["bbox"].numbers() == std::vector<double>{box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1});
      CHECK(record["segmentation"]["size"].integers() == std::vector<std::int64_t>{60 + id, 90 - id});
    }
  }
  CHECK(position == document.root().size());
  CHECK(position > 10);
}

TEST_CASE("evaluate: a network's numbers are those of its results file, kept or not, for any number of threads") {
  const NetworkProblem problem;
  REQUIRE(problem.evaluate_into({"--threads", "1"}).status == 0);
  const std::string results = file_bytes(problem.results);
  const std::string metrics = problem.metrics();
  REQUIRE(run_program({"evaluate", "--annotations", problem.annotations, "--results", problem.results, "--json",
                       problem.folder / "again.json"})
              .status == 0);
  CHECK(file_bytes(problem.folder / "again.json") == metrics);
  const auto unkept = problem.evaluate({"--json", problem.folder / "unkept.json", "--threads", "3"});
  CAPTURE(unkept.err);
  REQUIRE(unkept.status == 0);
  CHECK(file_bytes(problem.folder / "unkept.json") == metrics);
  REQUIRE(problem.evaluate_into({"--threads", "3"}).status == 0);
  CHECK(file_bytes(problem.results) == results);
  REQUIRE(problem.evaluate({"--results-out", problem.folder / "elsewhere.json"}).status == 0);
  CHECK(file_bytes(problem.folder / "elsewhere.json") == results);
}

TEST_CASE("evaluate: a network that is judged by its own findings is perfect") {
  NetworkProblem problem;
  REQUIRE(problem.evaluate_into().status == 0);
  problem.file.annotations.clear();
  const auto document = io::JsonDocument::open(problem.results);
  int id = 0;
  document.root().for_each_element([&](const io::JsonValue& record) {
    const auto box = record["bbox"].integers();
    problem.file.object(++id, static_cast<int>(record["image_id"].integer()),
                        static_cast<int>(record["category_id"].integer()), static_cast<int>(box[0]),
                        static_cast<int>(box[1]), static_cast<int>(box[2]), static_cast<int>(box[3]));
  });
  write_file(problem.annotations, problem.file.text());
  REQUIRE(problem.evaluate({"--iou-type", "bbox", "--json", problem.folder / "metrics.json"}).status == 0);
  const auto metrics = io::JsonDocument::open(problem.folder / "metrics.json");
  CHECK(metrics.root()["bbox"]["AP"].number() == doctest::Approx(1));
  CHECK(metrics.root()["bbox"]["AR100"].number() == doctest::Approx(1));
}

TEST_CASE("evaluate: a run that was cut off anywhere goes on to the same files and numbers") {
  const NetworkProblem problem;
  REQUIRE(problem.evaluate_into({"--resume"}).status == 0);  // there is nothing yet: it begins
  const std::string results = file_bytes(problem.results);
  const std::string log = file_bytes(problem.results + ".run");
  const std::string metrics = problem.metrics();
  const auto goes_on = [&](const std::string& kept_results, const std::string& kept_log) {
    write_file(problem.results, kept_results);
    write_file(problem.results + ".run", kept_log);
    std::filesystem::remove(problem.folder / "metrics.json");
    const auto run = problem.evaluate_into({"--resume"});
    CAPTURE(run.err);
    CHECK(run.status == 0);
    CHECK(file_bytes(problem.results) == results);
    CHECK(file_bytes(problem.results + ".run") == log);
    CHECK(problem.metrics() == metrics);
    return run.err;
  };
  CHECK(contains(goes_on(results, log), "holds 5 of 5 pictures"));
  for (const std::size_t cut :
       {results.size() - 1, results.size() - 3, results.size() / 2, results.size() / 3, std::size_t{2}, std::size_t{1}})
    goes_on(results.substr(0, cut), log);
  for (const std::size_t cut : {log.size() - 1, log.size() - 20, log.size() - 150, log.find('\n') + 1})
    goes_on(results, log.substr(0, cut));
  goes_on(results.substr(0, results.size() / 2), log.substr(0, log.size() - 60));
  // The disk lost what was written last: zeros in its place.
  std::string holes = results;
  std::fill(holes.begin() + static_cast<std::ptrdiff_t>(holes.size() / 2), holes.end(), '\0');
  CHECK(contains(goes_on(holes, log), " of 5 pictures, going on"));
  CHECK(contains(goes_on(holes, log), "results.json: 5 pictures were recorded, "));
  std::string damaged = results;
  damaged[3] = '?';
  CHECK(contains(goes_on(damaged, log), "5 pictures were recorded, 0 are used: the rest is damaged from byte 0 on"));
  // Killed before the description was complete.
  goes_on("", log.substr(0, 10));
  goes_on("", "");
}

TEST_CASE("evaluate: killed in the middle, it goes on") {
  const NetworkProblem problem(60);
  REQUIRE(problem.evaluate_into().status == 0);
  const std::string results = file_bytes(problem.results);
  const std::string metrics = problem.metrics();
  std::filesystem::remove_all(problem.out);
  for (const int number : {SIGKILL, SIGINT}) {
    Program program(problem.words({"--output", problem.out, "--resume"}));
    const std::size_t before = file_bytes(problem.results).size();
    for (int i = 0; i < 5000 && file_bytes(problem.results).size() < before + results.size() / 5; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    kill(program.process(), number);
    CHECK(program.wait().signal == number);
    CHECK(std::filesystem::exists(problem.results));
  }
  const std::string part = file_bytes(problem.results);
  CHECK((part.size() > 0 && part.size() < results.size()));
  const auto refused = problem.evaluate_into();
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "pictures of a run that is unfinished; go on with --resume"));
  CHECK(file_bytes(problem.results) == part);
  REQUIRE(problem.evaluate_into({"--resume"}).status == 0);
  CHECK(file_bytes(problem.results) == results);
  CHECK(problem.metrics() == metrics);
}

TEST_CASE("evaluate: a run goes on only with the same weights, settings, annotations and pictures") {
  NetworkProblem problem;
  REQUIRE(problem.evaluate_into().status == 0);
  const std::string results = file_bytes(problem.results);
  const auto refused = [&](std::vector<std::string> more, const std::string& what) {
    more.insert(more.end(), {"--output", problem.out, "--resume"});
    problem.fails(1, more, {"results.json.run: ", "other " + what});
    CHECK(file_bytes(problem.results) == results);
  };
  refused({"--limit", "4"}, "pictures");
  refused({"--image-ids", "1,2,3,5"}, "pictures");
  refused({"--min-confidence", "0.1"}, "configuration");
  refused({"--profile", "modern"}, "configuration");
  refused({"--classes", "circle,square,triangle"}, "categories");
  const std::string weights = file_bytes(problem.weights);
  std::string other = weights;
  other[other.size() - 3] = static_cast<char>(other[other.size() - 3] ^ 1);
  write_file(problem.weights, other);
  refused({}, "weights");
  write_file(problem.weights, weights);
  problem.file.object(77, 1, 5, 1, 1, 9, 9);
  write_file(problem.annotations, problem.file.text());
  refused({}, "annotations");
  write_file(problem.results + ".run", "something else\n");
  problem.fails(1, {"--output", problem.out, "--resume"},
                {"results.json.run: ", "does not begin with the description"});
  std::filesystem::remove(problem.results + ".run");
  problem.fails(1, {"--output", problem.out, "--resume"}, {"results.json.run: is missing beside "});
}

TEST_CASE("evaluate: results whose description is damaged are not wiped") {
  const NetworkProblem problem(2);
  REQUIRE(problem.evaluate_into().status == 0);
  const std::string results = file_bytes(problem.results);
  const std::string log = file_bytes(problem.results + ".run");
  const std::string torn = "results.json.run: is empty or damaged beside ";
  const std::string foreign = "results.json.run: does not begin with the description of a run";
  const auto refused = [&](const std::string& damaged, const std::string& text) {
    for (const bool resume : {false, true}) {
      write_file(problem.results + ".run", damaged);
      std::vector<std::string> words{"--output", problem.out, "--misses", "0"};
      if (resume) words.push_back("--resume");
      problem.fails(1, words, {text});
      CHECK(file_bytes(problem.results) == results);
      CHECK(file_bytes(problem.results + ".run") == damaged);
    }
  };
  refused(log.substr(0, 20), torn);
  refused("hello", torn);
  refused("", torn);
  refused("hello\n", foreign);
  refused("[1]\n", foreign);
  // A run that is complete is replaced, whatever became of its first line.
  write_file(problem.results + ".run", "?" + log);
  CHECK(problem.evaluate_into().status == 0);
  CHECK(file_bytes(problem.results + ".run") == log);
}

TEST_CASE("evaluate: classes are matched by name, else by ascending id") {
  const NetworkProblem problem(1);
  const auto categories = [&](const std::string& classes, ProgramResult& run) {
    run = problem.evaluate_into({"--classes", classes});
    CAPTURE(run.err);
    REQUIRE(run.status == 0);
    std::vector<std::int64_t> ids;
    const auto document = io::JsonDocument::open(problem.results);
    document.root().for_each_element(
        [&](const io::JsonValue& record) { ids.push_back(record["category_id"].integer()); });
    return ids;
  };
  ProgramResult run;
  const auto own = categories("square,circle,triangle", run);
  CHECK(run.err.empty());
  const auto strange = categories("a,b,c", run);  // 5, 9, 20 by ascending id: the same as by name
  CHECK(strange == own);
  CHECK(contains(run.out, "matched by ascending id"));
  CHECK(contains(run.err, "matched by ascending id; --classes gives names"));
  const auto some = categories("square,b,c", run);
  CHECK(contains(run.out, "matched by name"));
  CHECK(contains(run.err, "has no category for 2 classes of the network (b, c)"));
  CHECK(contains(run.err, "the network has no class for 2 categories"));
  std::vector<std::int64_t> squares;
  for (const auto id : own)
    if (id == 5) squares.push_back(id);
  CHECK(some == squares);
}

TEST_CASE("evaluate: pictures that are missing, of another size or damaged") {
  const NetworkProblem problem;
  std::filesystem::remove(problem.images + "/3.png");
  std::filesystem::remove(problem.images + "/4.png");
  problem.fails(1, {"--output", problem.out}, {"images/3.png: no such picture, and 1 more of the 5"});
  CHECK(!std::filesystem::exists(problem.out));
  REQUIRE(problem.evaluate({"--image-ids", "1,2,5", "--output", problem.out, "--misses", "0"}).status == 0);
  std::filesystem::remove_all(problem.out);
  auto folder = problem.words({"--output", problem.out});
  folder[4] = problem.folder / "nowhere";
  const auto nowhere = run_program(folder);
  CHECK(nowhere.status == 1);
  CHECK(contains(nowhere.err, "nowhere: is not a folder"));

  io::write_png(problem.images + "/3.png", random_picture(30, 40, 3));
  const std::string whole = file_bytes(problem.images + "/5.png");
  io::write_png(problem.images + "/4.png", NetworkProblem::picture(4));
  problem.fails(1, {"--output", problem.out},
                {"images/3.png: has 40 x 30 pixels, expected 87 x 63 as in ", "--resume goes on"});
  io::write_png(problem.images + "/3.png", NetworkProblem::picture(3));
  write_file(problem.images + "/5.png", whole.substr(0, whole.size() / 2));
  const auto cut = problem.evaluate({"--output", problem.out, "--resume"});
  CHECK(cut.status == 1);
  CHECK(contains(cut.err, "images/5.png: "));
  write_file(problem.images + "/5.png", whole);
  REQUIRE(problem.evaluate_into({"--resume"}).status == 0);
  const std::string results = file_bytes(problem.results);
  std::filesystem::remove_all(problem.out);
  REQUIRE(problem.evaluate_into().status == 0);
  CHECK(file_bytes(problem.results) == results);
}

TEST_CASE("evaluate: a camera's orientation is ignored, as COCO's annotations do") {
  NetworkProblem problem(1);
  const auto jpeg = io::encode_jpeg(NetworkProblem::picture(1), 95);
  problem.file.images.clear();
  problem.file.image(1, 61, 89, "turned.jpg");
  write_file(problem.annotations, problem.file.text());
  const auto bytes = with_exif(jpeg, exif_block(6, true));
  write_file(problem.images + "/turned.jpg", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const auto run = problem.evaluate_into();
  CAPTURE(run.err);
  CHECK(run.status == 0);
}

TEST_CASE("evaluate: a network without pictures, or one that finds nothing") {
  NetworkProblem problem(2);
  auto run = problem.evaluate_into({"--min-confidence", "1"});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(file_bytes(problem.results) == "[]\n");
  CHECK((contains(run.out, "bbox:\n") && contains(run.out, "segm:\n") && contains(run.out, "there are no detections")));
  problem.file.images.clear();
  problem.file.annotations.clear();
  write_file(problem.annotations, problem.file.text());
  run = problem.evaluate_into();
  CHECK(run.status == 0);
  CHECK(file_bytes(problem.results) == "[]\n");
}
