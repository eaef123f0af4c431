#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/io/json.hpp"
#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::coco;
using mrcnn::test::Draw;

namespace {

/// Files of a few records that go through windows and chunks of a few bytes.
struct TinyOptions : ReadOptions {
  std::size_t chunk_bytes = 0;
  std::size_t window_bytes = 16;
  bool plain = false;  ///< by the parser alone
};

std::size_t rounds() {
  const char* text = std::getenv("MRCNN_FUZZ_CALLS");
  return text == nullptr ? 8000 : static_cast<std::size_t>(std::strtod(text, nullptr));
}

const std::string instances = R"({"info":{"a":[1,{"b":"\\\"]}"}]}, "images":[{"id":1,"height":4,"width":3,"x":"é"},
 {"id":2,"file_name":"a\\b\u00e9.jpg"}], "annotations":[{"id":1,"image_id":1,"category_id":2,"iscrowd":0,
 "segmentation":[[1.5,2,3e0,4,-5,6],[7,8]],"bbox":[0,1,2.25,3],"area":7.125}, {"id":2,"image_id":1,"category_id":2,
 "iscrowd":1,"segmentation":{"size":[3,4],"counts":[4,1,1,2,1,3]},"note":["]},{"]}, {"id":3,"image_id":2,
 "category_id":2,"segmentation":{"size":[3,4],"counts":"411\\101"}}],"categories":[{"id":2,"name":"b"}]})";
const std::string results = R"([{"image_id":1,"category_id":2,"score":0.5,"bbox":[0,1,2,3]} , {"image_id":2,
 "category_id":2,"score":1e-3,"segmentation":{"size":[3,4],"counts":"41\\\"1101"},"k":[[],{}]},{"image_id":3,
 "category_id":1,"score":-1,"segmentation":[[1,2,3,4,5,6.25]]}])";

// As most programs write them, which is read without a parser.
const std::string plain_instances = R"({"images": [{"license": 4, "file_name": "0.jpg", "height": 427, "width": 640,
 "id": 39, "url": "http://c/d"}], "annotations": [{"segmentation": [[10.5, 2, 312.25, 40.0,702.1057499999998,6]],
 "area": 702.1057499999998, "iscrowd": 0, "image_id": 39, "bbox": [473.07, 395.93, 38.65, 0], "category_id": 18,
 "id": 1768, "note": "x"}, {"segmentation": {"counts": [207, 2, 453], "size": [427, 640]}, "area": 1e-3, "iscrowd": 1,
 "image_id": 2, "category_id": 1, "id": 900100002299, "n": -3}], "categories": []})";
const std::string plain_results = R"([{"image_id": 42, "category_id": 18, "bbox": [258.15, 41.29, 348.26, 243.78],
 "score": 0.236}, {"image_id":73,"category_id":11,"segmentation":{"size":[3,4],"counts":"41\\1\"01"},"score":0.318,
 "id":5},{"image_id":7,"category_id":1,"bbox":[0,-0,1.5,1],"segmentation":[[1,2,3.5],[4]],"score":-1}])";

std::string spoiled(std::string text, Draw& draw) {
  const std::string alphabet = "{}[]:,\"\\ \n0123456789.-+eEtrufalsnN\x01\xC3\xA9\xFF";
  const std::string_view words[] = {"\"id\"",
                                    "null",
                                    "1e400",
                                    "NaN",
                                    "-1",
                                    "[]",
                                    "{}",
                                    "99999999999999999999",
                                    "\"images\":[],",
                                    "true",
                                    "1.5",
                                    "\"segmentation\":",
                                    "]],",
                                    "[[[[",
                                    "}}"};
  for (std::size_t edits = draw.below(4); edits > 0 && !text.empty(); --edits) {
    const std::size_t at = draw.below(text.size());
    switch (draw.below(6)) {
      case 0: text[at] = alphabet[draw.below(alphabet.size())]; break;
      case 1: text.erase(at, 1 + draw.below(8)); break;
      case 2: text.insert(at, words[draw.below(std::size(words))]); break;
      case 3: text.insert(at, text.substr(draw.below(text.size()), draw.below(120))); break;
      case 4: text.erase(at, draw.below(120)); break;
      default: text.insert(at, 1, alphabet[draw.below(alphabet.size())]);
    }
  }
  return text;
}

/// Whether it was read, and the records or the message.
template <class Read>
std::pair<bool, std::string> outcome_of(const Read& read) {
  try {
    return {true, to_json(read())};
  } catch (const FormatError& error) {
    return {false, error.what()};
  }
}

/// Only a FormatError leaves, the same in one piece and in the smallest; what is read is JSON, writes and reads again.
template <class Whole, class Pieces>
void check_file(const std::string& text, const Whole& whole, const Pieces& pieces) {
  const auto result = outcome_of([&] { return whole(text); });
  REQUIRE_MESSAGE(result == outcome_of([&] { return pieces(text); }), text);
  if (result.first) {
    CHECK_NOTHROW_MESSAGE(io::JsonDocument::parse(text, "x"), text);
    CHECK_MESSAGE(outcome_of([&] { return whole(result.second); }) == result, text);
  } else {
    CHECK_MESSAGE(result.second.rfind("x", 0) == 0, result.second);
  }
}

}  // namespace

TEST_CASE("spoiled instances files are refused or read, the same in any pieces") {
  Draw draw(1);
  for (std::size_t round = rounds(); round > 0; --round) {
    TinyOptions options;
    options.threads = 1;
    options.window_bytes = 16 + draw.below(200);
    check_file(
        spoiled(draw.below(2) == 0 ? instances : plain_instances, draw),
        [](const std::string& text) { return parse_annotations(text, "x", {.threads = 1}); },
        [&](const std::string& text) {
          return coco::detail::read_instances(io::detail::TextSource(text, "x"), options);
        });
  }
}

TEST_CASE("spoiled results files are refused or read, the same in any pieces") {
  Draw draw(2);
  for (std::size_t round = rounds(); round > 0; --round) {
    TinyOptions options;
    options.threads = 1;
    options.window_bytes = 16 + draw.below(200);
    options.chunk_bytes = draw.below(100);
    check_file(
        spoiled(draw.below(2) == 0 ? results : plain_results, draw),
        [](const std::string& text) { return parse_results(text, "x", {.threads = 1}); },
        [&](const std::string& text) {
          return coco::detail::read_result_array(io::detail::TextSource(text, "x"), options);
        });
  }
}

TEST_CASE("any bytes as files are refused or read") {
  Draw draw(3);
  const std::string alphabet = "{}[]:,\"\\ 1e.-n";
  for (std::size_t round = rounds(); round > 0; --round) {
    std::string text = draw.below(2) == 0 ? "{\"images\":[],\"annotations\":[" : "[";
    for (std::size_t size = draw.below(90); size > 0; --size) text += alphabet[draw.below(alphabet.size())];
    (void)outcome_of([&] { return parse_annotations(text, "x", {.threads = 1}); });
    (void)outcome_of([&] { return parse_results(text, "x", {.threads = 1}); });
  }
}
