#include "mrcnn/vis/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using mrcnn::vis::decode_utf8;

namespace {

const std::u32string bad = U"\uFFFD";

}  // namespace

TEST_CASE("decode_utf8: text of one to four bytes a character") {
  CHECK(decode_utf8("") == U"");
  CHECK(decode_utf8("dog") == U"dog");
  CHECK(decode_utf8("Stra\xC3\x9F"
                    "e") == U"Stra\u00DFe");
  CHECK(decode_utf8("\xE7\x8A\xAC") == U"\u72AC");
  CHECK(decode_utf8("\xF0\x9F\x90\x95") == U"\U0001F415");
  CHECK(decode_utf8(std::string_view("a\0b", 3)) == std::u32string(U"a\0b", 3));
}

TEST_CASE("decode_utf8: the first and last code point of each length") {
  CHECK(decode_utf8("\x7F\xC2\x80\xDF\xBF") == std::u32string(U"\u007F\u0080\u07FF"));
  CHECK(decode_utf8("\xE0\xA0\x80\xEF\xBF\xBF") == std::u32string(U"\u0800\uFFFF"));
  CHECK(decode_utf8("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF") == std::u32string(U"\U00010000\U0010FFFF"));
  CHECK(decode_utf8("\xED\x9F\xBF\xEE\x80\x80") == std::u32string(U"\uD7FF\uE000"));
}

TEST_CASE("decode_utf8: what is no text becomes U+FFFD, and the text after it is kept") {
  CHECK(decode_utf8("\x80") == bad);  // a continuation without a lead
  CHECK(decode_utf8("\xFF"
                    "a") == bad + U"a");
  CHECK(decode_utf8("\xC3") == bad);  // cut short
  CHECK(decode_utf8("\xC3(") == bad + U"(");
  CHECK(decode_utf8("\xE7\x8A") == bad);
  CHECK(decode_utf8("\xE7\x8A!") == bad + U"!");
  CHECK(decode_utf8("\xF0\x9F\x90") == bad);
  CHECK(decode_utf8("\xF0\x9F\x90\xC3\x9F") == bad + U"\u00DF");
}

TEST_CASE("decode_utf8: overlong forms, surrogates and values above U+10FFFF are refused byte by byte") {
  CHECK(decode_utf8("\xC0\x80") == bad + bad);
  CHECK(decode_utf8("\xC1\xBF") == bad + bad);
  CHECK(decode_utf8("\xE0\x80\x80") == bad + bad + bad);
  CHECK(decode_utf8("\xF0\x80\x80\x80") == bad + bad + bad + bad);
  CHECK(decode_utf8("\xED\xA0\x80") == bad + bad + bad);
  CHECK(decode_utf8("\xF4\x90\x80\x80") == bad + bad + bad + bad);
  CHECK(decode_utf8("\xF5\x80\x80\x80") == bad + bad + bad + bad);
}

TEST_CASE("decode_utf8: the Unicode Standard's examples of maximal subparts (tables 3-8 to 3-11)") {
  CHECK(decode_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == bad + bad + bad + bad + bad + bad + bad + bad + U"A");
  CHECK(decode_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == bad + bad + bad + bad + bad + bad + bad + bad + U"A");
  CHECK(decode_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == bad + bad + bad + bad + bad + U"A" + bad + bad + U"B");
  CHECK(decode_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == bad + bad + bad + bad + U"A");
}
