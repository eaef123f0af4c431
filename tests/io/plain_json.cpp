#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "mrcnn/detail/simd.hpp"
#include "mrcnn/io/detail/json_splitter.hpp"
#include "mrcnn/io/detail/plain_json.hpp"
#include "tests/support/files.hpp"

using namespace mrcnn;
using io::detail::JsonChunk;
using io::detail::JsonSplitter;
using io::detail::PlainJson;
using test::Draw;

namespace {

/// A text with what PlainJson needs behind it: here more text, which must not be taken for the first.
struct Padded {
  std::string bytes;
  std::size_t size;

  explicit Padded(const std::string& text, char fill = '7')
      : bytes(text + std::string(PlainJson::padding, fill)), size(text.size()) {}
  PlainJson json() const { return PlainJson({bytes.data(), size}); }
};

bool reads_number(const std::string& text, double& value) {
  const Padded padded(text);
  PlainJson json = padded.json();
  return json.number(value) && json.at_end();
}

}  // namespace

TEST_CASE("byte blocks: every byte at every place, portable or not") {
  Draw draw(1);
  for (int round = 0; round < 2000; ++round) {
    char bytes[64];
    const bool dense = draw.below(2) == 0;
    for (char& byte : bytes) byte = static_cast<char>(dense ? 0x18 + draw.below(16) : draw.bits());
    const auto value = static_cast<char>(bytes[draw.below(64)] | 0x20);
    std::uint64_t equal = 0;
    std::uint64_t either = 0;
    std::uint64_t control = 0;
    for (unsigned i = 0; i < 64; ++i) {
      const auto code = static_cast<unsigned char>(bytes[i]);
      equal |= std::uint64_t{bytes[i] == value} << i;
      either |= std::uint64_t{(code | 0x20) == static_cast<unsigned char>(value)} << i;
      control |= std::uint64_t{code < 0x20 || code >= 0x80} << i;
    }
    const mrcnn::detail::ByteBlock block(bytes);
    const mrcnn::detail::PortableByteBlock portable(bytes);
    REQUIRE(block.equal(value) == equal);
    REQUIRE(portable.equal(value) == equal);
    REQUIRE(block.equal(value, 0x20) == either);
    REQUIRE(portable.equal(value, 0x20) == either);
    REQUIRE(block.not_printable() == control);
    REQUIRE(portable.not_printable() == control);
  }
}

TEST_CASE("plain json: numbers are those of strtod, to the bit, alone and in arrays") {
  Draw draw(2);
  std::string array = "[";
  std::vector<double> expected;
  for (int round = 0; round < 40000; ++round) {
    std::string text = draw.below(4) == 0 ? "-" : "";
    text += std::to_string(draw.bits() % (std::uint64_t{1} << draw.below(50)));
    if (draw.below(3) != 0) {
      text += '.';
      for (std::size_t digits = 1 + draw.below(draw.below(8) == 0 ? 20 : 5); digits > 0; --digits)
        text += static_cast<char>('0' + draw.below(10));
      if (draw.below(6) == 0) text += (draw.below(2) == 0 ? "e-" : "E+") + std::to_string(draw.below(40));
    }
    double value = 0;
    REQUIRE_MESSAGE(reads_number(text, value), text);
    double known = std::strtod(text.c_str(), nullptr);
    if (known == 0 && text.find_first_of(".eE") == std::string::npos) known = 0;  // -0 is an integer
    REQUIRE_MESSAGE(std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(known), text);
    array +=
        (expected.empty() ? "" : ",") + std::string(draw.below(2), ' ') + text + std::string(draw.below(9) / 8, ' ');
    expected.push_back(known);
  }
  const Padded padded(array + "]");
  PlainJson json = padded.json();
  std::vector<double> values;
  REQUIRE(json.numbers(values));
  CHECK(json.at_end());
  REQUIRE(values.size() == expected.size());
  bool equal = true;
  for (std::size_t i = 0; i < values.size(); ++i)
    equal = equal && std::bit_cast<std::uint64_t>(values[i]) == std::bit_cast<std::uint64_t>(expected[i]);
  CHECK(equal);
}

TEST_CASE("plain json: what is no number of JSON, or too large, is left to the parser") {
  double value = 0;
  std::int64_t integer = 0;
  for (const std::string text :
       {"",    "-",   ".5",   "5.",   "01",  "00",   "-01.5", "1.2.3",    "1..2",
        "+1",  "1e",  "1e+",  "0x10", "NaN", "inf",  "1e400", "1e-400",   "1-2",
        "1_0", "12a", "1.e5", "--1",  "-.5", "1 2x", "1\"",   "Infinity", "1234567890123456"}) {
    CHECK_MESSAGE(!reads_number(text, value), text);
    const Padded padded("[" + text + "]");
    std::vector<double> values;
    CHECK_MESSAGE(!padded.json().numbers(values), text);
    const Padded aligned("          [1," + text + ",1]");
    PlainJson json = aligned.json();
    CHECK_MESSAGE(!json.numbers(values), text);
  }
  for (const std::string text : {"[]", "[1,]", "[,1]", "[1,,2]", "[1", "[1,2", "[[1]]", "[1}", "[1;2]", "1,2]"}) {
    const Padded padded(text, ',');
    std::vector<double> values;
    CHECK_MESSAGE(!padded.json().numbers(values), text);
  }
  for (const std::string text : {"", "-", "1.0", "1e3", "01", "1234567890123456789", "x", "1x", "\"1\""}) {
    const Padded padded(text);
    CHECK_MESSAGE(!padded.json().integer(integer), text);
  }
  CHECK(Padded(" -42").json().integer(integer));
  CHECK(integer == -42);
  CHECK(Padded("999999999999999999").json().integer(integer));
  CHECK(integer == 999999999999999999);
}

TEST_CASE("plain json: strings and keys") {
  std::string text;
  CHECK(Padded(" \"a b\\\\c\\\"d\" ").json().string(text));
  CHECK(text == "a b\\c\"d");
  const std::string long_text(300, 'x');
  CHECK(Padded("\"" + long_text + "\"").json().string(text));
  CHECK(text == long_text);
  for (const std::string& bad :
       {std::string("\"a"), std::string("\""), std::string("a"), std::string("\"\\n\""), std::string("\"\\u0041\""),
        std::string("\"\xC3\xA9\""), std::string("\"\x1F\""), std::string("\"\x7F\""), std::string("\"a\0\"", 4),
        std::string("\"\\"), "\"" + std::string(70, 'x'), "\"" + std::string(62, 'x') + "\\"})
    for (const char fill : {'"', '\\', 'x'}) CHECK_MESSAGE(!Padded(bad, fill).json().string(text), bad);
  std::string_view name;
  const Padded key("\"image_id\" : 1");
  CHECK(key.json().key(name));
  CHECK(name == "image_id");
  for (const std::string bad :
       {"\"a-b\":", "\"a\\\\\":", "\"a\"", "a:", "\"a", "\"abcdefghijklmnopqrstuvwxyz0123456789\":"})
    CHECK_MESSAGE(!Padded(bad).json().key(name), bad);
}

TEST_CASE("json splitter: chunks and skeleton are the same however the text arrives") {
  const std::string text = R"( {"a": {"images": [1]}, "images" : [ {"id":"]}\\\"[{"} , [1,2,{}], "\\", 5 ] ,"\u0078":[],
    "annotations":[],"images":[{}],"other":[[1],{"b":",]"}], "annotations": [ 1 ]} )";
  const std::vector<std::string_view> names = {"images", "annotations"};
  const auto split = [&](std::size_t step, std::size_t chunk_bytes) {
    JsonSplitter splitter(names, chunk_bytes);
    std::string out;
    std::string window;
    for (std::size_t at = 0; at < text.size(); at += step) {
      const std::size_t kept = window.size();
      window += text.substr(at, step);
      std::vector<JsonChunk> chunks;
      splitter.advance(window, kept, chunks);
      for (const JsonChunk& chunk : chunks)
        out += std::to_string(chunk.array) + "/" + std::to_string(chunk.repeated) + "/" + std::to_string(chunk.first) +
               "+" + std::to_string(chunk.elements) + ":" + window.substr(chunk.begin, chunk.end - chunk.begin) + "\n";
      window.erase(0, splitter.kept_from());
    }
    CHECK_FALSE(splitter.broken());
    CHECK_FALSE(splitter.in_array());
    return out + splitter.skeleton();
  };
  const std::string each = split(text.size(), 0);
  CHECK(each ==
        "0/0/0+1: {\"id\":\"]}\\\\\\\"[{\"} \n0/0/1+1: [1,2,{}]\n0/0/2+1: \"\\\\\"\n0/0/3+1: 5 \n0/1/0+1:{}\n"
        "1/1/0+1: 1 \n {\"a\": {\"images\": [1]}, \"images\" : [] ,\"\\u0078\":[], \"annotations\":[],\"images\":"
        "[],\"other\":[[1],{\"b\":\",]\"}], \"annotations\": []} ");
  const std::string whole = split(text.size(), 1000);
  CHECK(whole.rfind("0/0/0+4: {\"id\"", 0) == 0);
  for (std::size_t step = 1; step < text.size(); ++step) {
    CHECK(split(step, 0) == each);
    CHECK(split(step, 1000) == whole);
  }
}
