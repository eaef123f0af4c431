#include "mrcnn/io/safetensors.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::message_of;
using test::TemporaryFolder;
using test::write_file;

namespace {

/// A file by hand: length, header as given, data.
std::string raw_file(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

std::string open_error(const TemporaryFolder& folder, const std::string& bytes) {
  write_file(folder / "x.safetensors", bytes);
  std::string message = message_of([&] { SafeTensors::open(folder / "x.safetensors"); });
  const std::string start = folder / "x.safetensors" + ": ";
  return message.rfind(start, 0) == 0 ? message.substr(start.size()) : message;
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

const std::string eight(8, '\0');

}  // namespace

TEST_CASE("safetensors: a file laid out by hand") {
  const TemporaryFolder folder;
  const float values[] = {1.5F, -2.0F};
  std::string data(reinterpret_cast<const char*>(values), 8);
  data += std::string("\x01\x02\x03", 3);
  const std::string header = "{\"__metadata__\":{\"who\":\"me\"}," + tensor("b", "U8", "[3]", "[8,11]") + "," +
                             tensor("a/\xC3\xA9", "F32", "[2,1]", "[0,8]") + "," +
                             tensor("none", "F32", "[0,7]", "[11,11]") + "}   ";
  write_file(folder / "x", raw_file(header, data));
  const auto file = SafeTensors::open(folder / "x");
  CHECK(file.names() == std::vector<std::string>{"a/\xC3\xA9", "b", "none"});
  CHECK(file.metadata().at("who") == "me");
  CHECK(file.read<float>("a/\xC3\xA9") == std::vector<float>{1.5F, -2.0F});
  CHECK(file.read<double>("a/\xC3\xA9") == std::vector<double>{1.5, -2.0});
  CHECK(file.read<std::uint8_t>("b") == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(file.read<float>("none").empty());
  CHECK(file.info("a/\xC3\xA9").shape == std::vector<index_t>{2, 1});
  CHECK(file.info("b").offset == 8 + header.size() + 8);
  CHECK(file.contains("b"));
  CHECK_FALSE(file.contains("c"));
  CHECK(message_of([&] { (void)file.info("c"); }) == folder / "x" + ": has no tensor 'c'");
  CHECK(message_of([&] { (void)file.read<float>("b"); }) == folder / "x" + ": tensor 'b' has dtype U8, expected F32");
  CHECK(message_of([&] { (void)file.read<std::int32_t>("b"); }) ==
        folder / "x" + ": tensor 'b' has dtype U8, expected I32");
}

TEST_CASE("safetensors: no tensors at all, and a scalar") {
  const TemporaryFolder folder;
  write_file(folder / "x", raw_file("{}", ""));
  CHECK(SafeTensors::open(folder / "x").tensors().empty());
  write_file(folder / "x", raw_file("{" + tensor("s", "F64", "[]", "[0,8]") + "}", eight));
  CHECK(SafeTensors::open(folder / "x").read<float>("s") == std::vector<float>{0.0F});
}

TEST_CASE("safetensors: half, bfloat16 and double become float") {
  const TemporaryFolder folder;
  // 1, -2, 65504, smallest normal 2^-14, smallest denormal 2^-24, largest denormal, -0, infinity
  const std::uint16_t half[] = {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x03FF, 0x8000, 0x7C00};
  const std::uint16_t brain[] = {0x3F80, 0xC000, 0x4049};
  const double wide[] = {0.1, -1e300, 3.0};
  write_safetensors(
      folder / "x",
      {{"h", DataType::f16, {8}, half}, {"b", DataType::bf16, {3}, brain}, {"d", DataType::f64, {3}, wide}});
  const auto file = SafeTensors::open(folder / "x");
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(file.read<float>("h") == std::vector<float>{1, -2, 65504, std::ldexp(1.0F, -14), std::ldexp(1.0F, -24),
                                                    std::ldexp(1023.0F, -24), -0.0F, infinity});
  CHECK(std::signbit(file.read<float>("h")[6]));
  CHECK(file.read<float>("b") == std::vector<float>{1, -2, 3.140625F});
  CHECK(file.read<float>("d") == std::vector<float>{0.1F, -infinity, 3});
  CHECK(file.read<double>("d") == std::vector<double>{0.1, -1e300, 3});
  CHECK(std::isnan(io::detail::half_to_float(0x7E01)));
}

TEST_CASE("safetensors: every half number equals its definition") {
  for (int bits = 0; bits < 0x7C00; ++bits) {
    const int exponent = bits >> 10;
    const int fraction = bits & 0x3FF;
    const double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    REQUIRE(io::detail::half_to_float(static_cast<std::uint16_t>(bits)) == static_cast<float>(expected));
    REQUIRE(io::detail::half_to_float(static_cast<std::uint16_t>(bits | 0x8000)) == static_cast<float>(-expected));
  }
}

TEST_CASE("safetensors: written files are aligned, padded and the same every time") {
  const TemporaryFolder folder;
  const std::uint8_t bytes[] = {1, 2, 3};
  const float floats[] = {1, 2, 3, 4, 5, 6};
  const std::vector<SafeTensorSource> tensors = {{"bytes", DataType::u8, {3}, bytes},
                                                 {"floats \"quoted\"\n", DataType::f32, {2, 3}, floats},
                                                 {"empty", DataType::f32, {0}, nullptr}};
  write_safetensors(folder / "a", tensors, {{"k", "v\xC3\xA9"}});
  write_safetensors(folder / "b", tensors, {{"k", "v\xC3\xA9"}});
  CHECK(test::file_bytes(folder / "a") == test::file_bytes(folder / "b"));
  const auto file = SafeTensors::open(folder / "a");
  for (const auto& info : file.tensors()) CHECK(info.offset % static_cast<std::uint64_t>(size_of(info.dtype)) == 0);
  CHECK((file.tensors()[0].offset) % 8 == 0);
  CHECK(file.read<float>("floats \"quoted\"\n") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(file.read<std::uint8_t>("bytes") == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(file.metadata().at("k") == "v\xC3\xA9");
  CHECK(folder.entries() == 2);
}

TEST_CASE("safetensors: what can not be written leaves nothing behind") {
  const TemporaryFolder folder;
  const float value = 1;
  write_file(folder / "x", "old");
  CHECK(message_of([&] {
          write_safetensors(folder / "x", {{"a", DataType::f32, {1}, &value}, {"a", DataType::f32, {1}, &value}});
        }) == folder / "x" + ": two tensors named 'a' can not be written");
  CHECK_THROWS_AS(write_safetensors(folder / "x", {{"a", DataType::f32, {-1}, &value}}), Error);
  CHECK(test::file_bytes(folder / "x") == "old");
  CHECK(folder.entries() == 1);
  CHECK(message_of([&] { write_safetensors(folder / "no/such/x", {}); }) ==
        folder / "no/such/x" + ": can not be written: its folder does not exist; create it first");
  CHECK(message_of([&] { write_safetensors(folder.path().string(), {}); }) ==
        folder.path().string() + ": can not be written: is a directory, expected a file name");
}

TEST_CASE("safetensors: sizes that the file can not hold") {
  const TemporaryFolder folder;
  CHECK(open_error(folder, "") == "is empty, expected a safetensors file; fetch or save it again");
  CHECK(open_error(folder, "1") ==
        "is truncated: 1 byte, expected a safetensors file of 10 or more; fetch or save it again");
  CHECK(open_error(folder, "1234567") ==
        "is truncated: 7 bytes, expected a safetensors file of 10 or more; fetch or save it again");
  std::string huge = raw_file("{}", "");
  huge[7] = static_cast<char>(0x80);
  CHECK(open_error(folder, huge) ==
        "its header claims 9223372036854775810 bytes, expected at most 100000000, and the file has 10: not a "
        "safetensors file, or damaged; fetch or save it again");
  std::string longer = raw_file("{}", "");
  longer[1] = 1;
  CHECK(open_error(folder, longer) ==
        "is truncated: its header claims 258 bytes, the file has 10, expected 266 or more; fetch or save it again");
  for (const char* header : {"", "[]"})
    CHECK(open_error(folder, raw_file(header, "")) ==
          "is not a safetensors file: its header does not begin with '{', expected a JSON object");
  CHECK(open_error(folder, raw_file("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", "1234567")) ==
        "is truncated: tensor 'a' ends at byte 70, the file has 69 bytes; fetch or save it again");
}

TEST_CASE("safetensors: descriptions that contradict themselves") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& members, const std::string& data) {
    return open_error(folder, raw_file("{" + members + "}", data));
  };
  CHECK(error(tensor("a", "F32", "[3]", "[0,8]"), eight) == "tensor 'a' takes 8 bytes, expected 12 for F32 [3]");
  CHECK(error(tensor("a", "F32", "[1]", "[4,8]"), eight).find("tensor 'a' begins at byte ") == 0);
  CHECK(error(tensor("a", "F32", "[1]", "[4,8]"), eight).find("there is a gap after the header") != std::string::npos);
  CHECK(error(tensor("a", "F32", "[1]", "[0,4]"), eight).find("there is data after the last tensor") !=
        std::string::npos);
  CHECK(error(tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[1]", "[4,8]"), eight)
            .find(": it overlaps 'a'") != std::string::npos);
  CHECK(error(tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[2]", "[0,8]"), eight)
            .find(": it overlaps 'a'") != std::string::npos);
  CHECK(error(tensor("a", "F32", "[2]", "[8,0]"), eight) ==
        "tensor 'a' has the data_offsets [8, 0], expected 0 <= begin <= end");
  CHECK(error(tensor("a", "F32", "[2]", "[-8,0]"), eight) ==
        "tensor 'a' has the data_offsets [-8, 0], expected 0 <= begin <= end");
  CHECK(error(tensor("a", "F32", "[2]", "[0,9223372036854775807]"), eight)
            .find("is truncated: tensor 'a' ends at byte ") == 0);
  CHECK(error(tensor("a", "F32", "[-2,-1]", "[0,8]"), eight) ==
        "tensor 'a' has the shape [-2, -1], which is negative or too large, expected one that the file can hold");
  CHECK(error(tensor("a", "F32", "[4294967296,4294967296,2]", "[0,8]"), eight).find("which is negative or too large") !=
        std::string::npos);
  CHECK(error(tensor("a", "F32", "[4611686018427387904,4]", "[0,0]"), "").find("which is negative or too large") !=
        std::string::npos);
  CHECK(error(tensor("a", "F33", "[2]", "[0,8]"), eight)
            .find("tensor 'a' has the unknown dtype 'F33', expected one of F32, F16") == 0);
  CHECK(error(tensor("a", "F32", "[2]", "[0,8,8]"), eight).find("is described incompletely") != std::string::npos);
  CHECK(error("\"a\":{\"dtype\":\"F32\",\"shape\":[2]}", eight).find("is described incompletely") != std::string::npos);
  CHECK(error("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}", eight)
            .find("unknown member 'x'") != std::string::npos);
  CHECK(error(tensor("a", "F32", "[1]", "[0,4]") + "," + tensor("a", "F32", "[1]", "[4,8]"), eight) ==
        "has two tensors named 'a', expected each name once");
  CHECK(error("\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}", "") ==
        "its metadata has two entries 'k', expected each key once");
  CHECK(error("\"__metadata__\":{},\"__metadata__\":{}", "") ==
        "its header has two members '__metadata__', expected one");
  CHECK(error("\"__metadata__\":{\"k\":1}", "") == "header: __metadata__.k: found a number, expected a string");
  CHECK(error(tensor("a", "F32", "[2.5]", "[0,8]"), eight) == "header: a.shape[0]: found 2.5, expected an integer");
  CHECK(error(tensor("a", "F32", "[1e30]", "[0,8]"), eight).find("expected an integer") != std::string::npos);
  CHECK(error("\"a\":3", "") == "header: a: found a number, expected an object");
  CHECK(error("\"a\":{", "").find("header:1:8: is not JSON: ") == 0);
  CHECK(error("\"a\":" + std::string(5000, '['), "") ==
        "header: can not be read as JSON: values nest deeper than 1024, expected at most that");
}

TEST_CASE("safetensors: truncated anywhere, it is an error") {
  const TemporaryFolder folder;
  const float values[] = {1, 2, 3, 4};
  write_safetensors(folder / "whole", {{"a", DataType::f32, {2}, values}, {"b", DataType::f32, {2}, values + 2}},
                    {{"k", "v"}});
  const std::string whole = test::file_bytes(folder / "whole");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(folder / "cut", whole.substr(0, size));
    CHECK_THROWS_AS(SafeTensors::open(folder / "cut"), FormatError);
  }
}

TEST_CASE("safetensors: mutated files are read or refused, nothing else") {
  const TemporaryFolder folder;
  std::vector<float> values(64, 1.0F);
  write_safetensors(folder / "seed",
                    {{"a", DataType::f32, {4, 8}, values.data()},
                     {"b", DataType::f16, {16}, values.data()},
                     {"c", DataType::i8, {5}, values.data()}},
                    {{"format", "x"}});
  const std::string seed = test::file_bytes(folder / "seed");
  const std::size_t header =
      8 + static_cast<unsigned char>(seed[0]) + 256 * static_cast<std::size_t>(static_cast<unsigned char>(seed[1]));
  test::Draw draw(7);
  int opened = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = seed;
    for (std::size_t edits = 1 + draw.below(4); edits > 0; --edits) {
      const std::size_t at = draw.below(header);
      const std::string alphabet = "0123456789{}[]\",:-FIU";
      bytes[at] = draw.below(2) == 0 ? static_cast<char>(draw.bits()) : alphabet[draw.below(alphabet.size())];
    }
    write_file(folder / "x", bytes);
    try {
      const auto file = SafeTensors::open(folder / "x");
      for (const auto& info : file.tensors())
        if (is_floating_point(info.dtype)) (void)file.read<float>(info.name);
      ++opened;
    } catch (const FormatError&) {
    }
  }
  CHECK(opened > 0);
  CHECK(opened < 4000);
}

TEST_CASE("output file: appears with commit, disappears without") {
  const TemporaryFolder folder;
  {
    OutputFile file(folder / "a");
    file.write("half");
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
    CHECK(folder.entries() == 1);
  }
  CHECK(folder.entries() == 0);
  {
    OutputFile file(folder / "a");
    OutputFile moved = std::move(file);
    moved.write("whole");
    moved.commit();
    moved.commit();
  }
  CHECK(test::file_bytes(folder / "a") == "whole");
  CHECK(folder.entries() == 1);
}

TEST_CASE("output file: a symbolic link stays one, a device is written directly") {
  const TemporaryFolder folder;
  write_file(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  OutputFile file(folder / "link");
  file.write("new");
  file.commit();
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(test::file_bytes(folder / "target") == "new");
  OutputFile null("/dev/null");
  null.write("gone");
  CHECK_NOTHROW(null.commit());
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("output file: permissions, links to nothing, long names") {
  const TemporaryFolder folder;
  const auto put = [&](const std::string& name) {
    OutputFile file(folder / name);
    file.write("new");
    file.commit();
    return test::file_bytes(folder / name) == "new";
  };
  write_file(folder / "secret", "old");
  ::chmod((folder / "secret").c_str(), 0600);
  CHECK(put("secret"));
  CHECK(std::filesystem::status(folder / "secret").permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  std::filesystem::create_symlink("yet_to_come", folder / "link");
  CHECK(put("link"));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(test::file_bytes(folder / "yet_to_come") == "new");
  CHECK(put(std::string(250, 'x')));
  CHECK(folder.entries() == 4);
  CHECK_THROWS_AS(OutputFile(folder / std::string(256, 'x')), FormatError);
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK_THROWS_AS(OutputFile(folder / "loop"), FormatError);
  CHECK_THROWS_AS(OutputFile("/dev/mrcnn-none"), FormatError);
}

TEST_CASE("output file: a descriptor's path is that descriptor; the file behind it is not replaced") {
  const TemporaryFolder folder;
  write_file(folder / "log", "before ");
  const int log = ::open((folder / "log").c_str(), O_WRONLY | O_APPEND);
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(log), folder / "link");
  for (const std::string& path : {"/dev/fd/" + std::to_string(log), folder / "link"}) {
    OutputFile file(path);
    file.write("more ");
    file.commit();
  }
  ::close(log);
  CHECK(test::file_bytes(folder / "log") == "before more more ");
  CHECK_THROWS_AS(OutputFile("/dev/fd/" + std::to_string(log)), FormatError);
}

TEST_CASE("output file: a folder or file that is read-only is refused at once") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "locked");
  ::chmod((folder / "locked").c_str(), 0500);
  write_file(folder / "file", "old");
  ::chmod((folder / "file").c_str(), 0400);
  if (::access((folder / "locked").c_str(), W_OK) != 0) {  // the superuser may write everywhere
    CHECK(message_of([&] { OutputFile(folder / "locked/x"); }) ==
          folder / "locked/x" + ": can not be written: permission denied");
    CHECK(message_of([&] { OutputFile(folder / "file"); }) ==
          folder / "file" + ": can not be written: permission denied");
  }
  ::chmod((folder / "locked").c_str(), 0700);
  CHECK(message_of([&] { OutputFile("/proc/none/x"); }).find("/proc/none/x: can not be written: ") == 0);
}
