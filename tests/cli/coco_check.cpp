// mrcnn coco check: its report, its exit status, and hostile files.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "mrcnn/io/image.hpp"
#include "mrcnn/io/json.hpp"
#include "tests/support/program.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

constexpr const char* images = R"([{"id":7,"height":40,"width":60,"file_name":"a.png"},)"
                               R"({"id":9,"height":20,"width":30,"file_name":"b.png"}])";
constexpr const char* categories = R"([{"id":1,"name":"cat"}])";

std::string object(int id, int image, const std::string& more) {
  return R"({"id":)" + std::to_string(id) + R"(,"image_id":)" + std::to_string(image) +
         R"(,"category_id":1,"iscrowd":0,)" + more + "}";
}
const std::string square = R"("area":100,"bbox":[2,3,10,10],"segmentation":[[2,3,2,13,12,13,12,3]])";

struct Workplace {
  TemporaryFolder folder;
  std::string file = folder / "a.json";

  explicit Workplace(const std::string& annotations = object(1, 7, square) + "," + object(2, 9, square)) {
    write_file(file, std::string(R"({"images":)") + images + R"(,"categories":)" + categories + R"(,"annotations":[)" +
                         annotations + "]}");
  }
  ProgramResult check(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"coco", "check", file});
    return run_program(more);
  }
  void fails(int status, const std::vector<std::string>& words, const std::vector<std::string>& texts) const {
    const auto result = run_program(words);
    CAPTURE(result.err);
    CHECK(result.status == status);
    CHECK(result.error_lines() == 1);
    CHECK(result.out.empty());
    for (const auto& text : texts) CHECK_MESSAGE(result.err.find(text) != std::string::npos, text);
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a clean file: what it holds, and exit status 0") {
  const Workplace place;
  const auto result = place.check();
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  CHECK(result.out == "annotations: " + place.file +
                          "\n"
                          "  images        2\n"
                          "  categories    1\n"
                          "  annotations   2\n"
                          "  boxes         2\n"
                          "  masks         2: 2 as polygons, 0 as run lengths, 0 compressed\n"
                          "\n"
                          "nothing is odd\n");
}

TEST_CASE("findings: the most severe first, with explanation, fix and examples, and exit status 1 for errors") {
  const Workplace place(object(0, 7, square) + "," + object(2, 9, R"("area":50,"bbox":[2,3,10,10])") + "," +
                        object(3, 7, R"("area":"big")") + "," +
                        object(4, 7, R"("area":12,"bbox":[20,3,10,10],"segmentation":[[20,3,20,13,30,13,30,3]])"));
  const auto result = place.check();
  CHECK(result.status == 1);
  CHECK(result.err.empty());
  const std::string expected =
      "3 errors, 1 warning, 0 notes\n"
      "\n"
      "error: malformed records: 1\n"
      "  A member is missing or of another kind than COCO's format has. Readers stop at it; the rest of\n"
      "  this report leaves these records out.\n"
      "  Fix: Give the member the value that the message expects.\n"
      "    annotation 3: area: found a string, expected a number\n"
      "\n"
      "error: an annotation with id 0: 1\n";
  CAPTURE(result.out);
  CHECK(contains(result.out, expected));
  CHECK(contains(result.out, "    annotation 0: is in image 7\n"));
  CHECK(contains(result.out, "error: records without a mask: 1\n"));
  CHECK(contains(result.out, "warning: areas that are not those of the masks: 1\n"));
  CHECK(result.out.find("error: records") < result.out.find("warning: areas"));
}

TEST_CASE("warnings and notes alone end with 0; examples are limited") {
  std::string annotations;
  for (int i = 1; i < 10; ++i)
    annotations +=
        (i > 1 ? "," : "") +
        object(i, i % 2 == 0 ? 7 : 9, R"("area":2,"bbox":[)" + std::to_string(i) + R"(,3,0,10],"segmentation":null)");
  const Workplace zero(annotations);
  CHECK(zero.check().status == 1);  // boxes without width
  std::string noted;
  for (int i = 1; i < 10; ++i)
    noted += (i > 1 ? "," : "") + object(i, 7, R"("area":20,"bbox":[)" + std::to_string(i) + R"(,3,4,10])");
  const Workplace place(noted);
  const auto result = place.check({"--limit-examples", "2"});
  CHECK(result.status == 0);
  CHECK(contains(result.out, "0 errors, 0 warnings, 2 notes\n"));
  CHECK(contains(result.out, "note: no masks at all: 1\n"));
  CHECK(contains(zero.check({"--limit-examples=2"}).out, "    and 7 more\n"));
  CHECK(!contains(zero.check({"--limit-examples=0"}).out, "annotation 1:"));
}

TEST_CASE("pictures: there or not, whole or not, of the size that the file says or not") {
  const Workplace place;
  const std::string folder = place.folder.path().string();
  auto result = place.check({"--images", folder});
  CHECK(result.status == 1);
  CHECK(contains(result.out, "error: images: missing image files: 2\n"));
  CHECK(contains(result.out, "    image 7: there is no file '" + place.folder / "a.png" + "'\n"));
  io::write_png(place.folder / "a.png", Image(40, 60));
  io::write_jpeg(place.folder / "b.png", Image(20, 30));  // what a file holds decides, not its name
  CHECK(place.check({"--images", folder}).status == 0);
  CHECK(place.check({"--images", folder, "--decode"}).status == 0);
  io::write_png(place.folder / "a.png", Image(60, 40));
  result = place.check({"--images", folder});
  CHECK(result.status == 1);
  CHECK(contains(result.out, "error: images: image files of another size: 1\n"));
  CHECK(contains(result.out, "is 60 x 40 (height x width); its record says 40 x 60\n"));
  const std::string whole = file_bytes(place.folder / "b.png");
  for (const std::size_t length : {std::size_t{0}, std::size_t{3}, std::size_t{20}, whole.size() / 2}) {
    write_file(place.folder / "b.png", whole.substr(0, length));
    for (const bool decode : {false, true}) {
      CAPTURE(length);
      CAPTURE(decode);
      std::vector<std::string> words = {"--images", folder};
      if (decode) words.emplace_back("--decode");
      result = place.check(words);
      CHECK(result.status == 1);
      CHECK(contains(result.out, "error: images: unreadable image files: 1\n"));
    }
  }
}

TEST_CASE("results are checked beside the annotations") {
  const Workplace place;
  const std::string results = place.folder / "r.json";
  write_file(results, R"([{"image_id":7,"category_id":5,"score":0.5,"bbox":[2,3,10,10]},)"
                      R"({"image_id":9,"category_id":1,"score":0.5,"bbox":[2,3,10,10]}])");
  auto result = place.check({"--results", results});
  CHECK(result.status == 0);
  CHECK(contains(result.out, "results: " + results + "\n  results       2\n  boxes         2\n  masks         0\n"));
  CHECK(contains(result.out, "warning: results: results of unknown categories: 1\n"));
  CHECK(contains(result.out, "    result 0: category_id is 5\n"));
  write_file(results, R"([{"image_id":8,"category_id":1,"score":0.5,"bbox":[2,3,10,10]}])");
  result = place.check({"--results", results});
  CHECK(result.status == 1);
  CHECK(contains(result.out, "error: results: results for unknown images: 1\n"));
  write_file(results, "[");
  place.fails(1, {"coco", "check", place.file, "--results", results}, {results});
}

TEST_CASE("the report as JSON, beside the text or in its place") {
  const Workplace place(object(0, 7, square) + "," + object(2, 9, square));
  const std::string json = place.folder / "report.json";
  const auto beside = place.check({"--json", json});
  CHECK(beside.status == 1);
  CHECK(contains(beside.out, "1 error, 0 warnings, 0 notes\n"));
  const auto alone = place.check({"--json", "-"});
  CHECK(alone.status == 1);
  CHECK(alone.out == file_bytes(json));
  const auto document = io::JsonDocument::parse(alone.out, "report");
  const auto root = document.root();
  CHECK(root["errors"].integer() == 1);
  CHECK(root["notes"].integer() == 0);
  CHECK(root["annotations"]["name"].string() == place.file);
  CHECK(root["annotations"]["totals"]["annotations"].integer() == 2);
  const auto finding = root["annotations"]["findings"].at(0);
  CHECK(finding["kind"].string() == "annotation_id_zero");
  CHECK(finding["severity"].string() == "error");
  CHECK(finding["count"].integer() == 1);
  CHECK(finding["examples"].at(0)["annotation"].integer() == 0);
  CHECK(finding["examples"].at(0)["text"].string() == "is in image 7");
}

TEST_CASE("names that hold control characters stay on their line") {
  const Workplace place;
  write_file(place.file, R"({"images":[{"id":1,"file_name":"a\n\u001b[31m"},{"id":2,"file_name":"a\n\u001b[31m"}],)"
                         R"("annotations":[]})");
  const auto result = place.check();
  CHECK(contains(result.out, "image 2: 'a\\n\\x1b[31m' is also image 1\n"));
  CHECK(!contains(result.out, "\x1b"));
}

TEST_CASE("a backslash is told from an escaped character") {
  Workplace place;
  write_file(place.file, R"({"images":[{"id":1,"height":4,"width":6,"file_name":"a\\nb"},{"id":2,"height":4,"width":6,)"
                         R"("file_name":"a\\nb"}],"categories":[{"id":1,"name":"cat"}],"annotations":[]})");
  const auto result = place.check();
  CHECK(contains(result.out, R"(a\\nb)"));
  CHECK(!contains(result.out, "a\\nb"));
}

TEST_CASE("results of which none can be read are not called none") {
  const Workplace place;
  write_file(place.folder / "r.json", "[1,{}]");
  const auto result = place.check({"--results", place.folder / "r.json"});
  CHECK(result.status == 1);
  CHECK(contains(result.out, "malformed record"));
  CHECK(!contains(result.out, "no results"));
}

TEST_CASE("pictures in no folder end in one line") {
  const Workplace place;
  place.fails(1, {"coco", "check", place.file, "--images", place.folder / "none"},
              {"none: is not a folder, expected the one with the pictures of "});
}

TEST_CASE("hostile files end in one line and exit status 1") {
  const Workplace place;
  const std::string path = place.folder / "hostile.json";
  const auto fails = [&](const std::string& text, const std::string& part) {
    write_file(path, text);
    place.fails(1, {"coco", "check", path}, {path, part});
  };
  fails("", "");
  fails("nonsense", "is not JSON");
  fails("[]", "found an array at the top");
  fails("{}", "has no member 'images'");
  fails(std::string(10000, '['), "");
  fails(R"({"images":[)" + std::string(10000, '['), "");
  fails(R"({"images":[],"annotations":[{"id":1)", "is not JSON");
  fails(std::string("\0\0\0\0", 4), "");
  place.fails(1, {"coco", "check", place.folder / "none.json"}, {"no such file"});
  place.fails(1, {"coco", "check", place.folder.path().string()}, {"is a directory"});
  place.fails(1, {"coco", "check", place.file, "--json", place.folder / "none/report.json"}, {"folder does not exist"});
}

TEST_CASE("absurd sizes and coordinates are findings, and take neither time nor memory") {
  const Workplace place(
      object(1, 7, R"("area":1e300,"bbox":[-1e300,1e300,1e308,1e308],"segmentation":[[1e9,0,-1e9,5,3,1e300]])") + "," +
      object(2, 9, R"("area":5,"bbox":[1,1,2,2],"segmentation":{"size":[4000000000,4000000000],"counts":"oooo1"})") +
      "," +
      object(3, 9, R"("area":5,"bbox":[1,1,2,2],"segmentation":{"size":[20,30],"counts":[4294967295,4294967295]})"));
  const auto result = place.check();
  CHECK(result.status == 1);
  CHECK(result.err.empty());
  CHECK(contains(result.out, "error: run lengths that do not add up: 1\n"));
  CHECK(contains(result.out, "error: compressed run lengths that can not be read: 1\n"));
  CHECK(contains(result.out, "error: polygons far beyond their image: 1\n"));
}

TEST_CASE("a wrong command line exits with 2, help with 0") {
  const Workplace place;
  place.fails(2, {"coco"}, {"no command", "check"});
  place.fails(2, {"coco", "chek", place.file}, {"'chek'", "did you mean 'check'"});
  place.fails(2, {"coco", "check"}, {"no file"});
  place.fails(2, {"coco", "check", place.file, "b.json"}, {"unexpected argument 'b.json'"});
  place.fails(2, {"coco", "check", place.file, "--decode"}, {"--images"});
  place.fails(2, {"coco", "check", place.file, "--limit-examples", "-1"}, {"--limit-examples", "'-1'"});
  place.fails(2, {"coco", "check", place.file, "--json", place.file}, {"would be overwritten"});
  const auto check_help = run_program({"coco", "check", "--help"});
  CHECK(check_help.status == 0);
  for (const char* part : {"--results FILE", "--images DIR", "--json FILE", "--limit-examples N", "Exit status: 0"})
    CHECK(contains(check_help.out, part));
  const auto coco_help = run_program({"coco", "--help"});
  CHECK(coco_help.status == 0);
  CHECK(contains(coco_help.out, "mrcnn coco check"));
  CHECK(contains(run_program({"--help"}).out, "mrcnn coco check FILE"));
}
