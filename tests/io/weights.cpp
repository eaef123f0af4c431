#include "mrcnn/io/weights.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/files.hpp"
#include "tests/support/weights_in_memory.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::message_of;
using test::TemporaryFolder;
using test::weights_in_memory;

namespace {

/// 0, 1, 2, ... of a shape.
std::vector<float> counting(const std::vector<index_t>& shape) {
  std::vector<float> values(static_cast<std::size_t>(io::detail::shape_size(shape)));
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

/// Parameters that own their memory.
class Parameters {
 public:
  Parameters& add(const std::string& name, ParameterKind kind, const std::vector<index_t>& shape) {
    memory_.push_back(std::vector<float>(static_cast<std::size_t>(io::detail::shape_size(shape)), -99.0F));
    slots_.push_back({name, kind, shape, memory_.back().data()});
    return *this;
  }
  const std::vector<ParameterSlot>& slots() const { return slots_; }
  const std::vector<float>& operator[](std::size_t i) const { return memory_[i]; }

 private:
  std::vector<std::vector<float>> memory_;
  std::vector<ParameterSlot> slots_;
};

const ParameterKind conv = ParameterKind::conv;
const ParameterKind dense = ParameterKind::dense;
const ParameterKind vector = ParameterKind::vector;

}  // namespace

TEST_CASE("load_parameters: Keras kernels come out as [out, kh, kw, in]") {
  // 37 x 19 channels: off every tile; values are their own index in the file.
  const std::vector<index_t> stored = {3, 2, 19, 37};
  const auto file = weights_in_memory(WeightsLayout::keras, {{"c/kernel", stored, counting(stored)}});
  Parameters p;
  p.add("c/kernel", conv, {37, 3, 2, 19});
  const auto report = load_parameters(file, p.slots());
  CHECK(report.complete());
  bool equal = true;
  for (index_t o = 0; o < 37; ++o)
    for (index_t y = 0; y < 3; ++y)
      for (index_t x = 0; x < 2; ++x)
        for (index_t i = 0; i < 19; ++i) {
          const float found = p[0][static_cast<std::size_t>(((o * 3 + y) * 2 + x) * 19 + i)];
          equal = equal && found == static_cast<float>(((y * 2 + x) * 19 + i) * 37 + o);
        }
  CHECK(equal);
}

TEST_CASE("load_parameters: dense and transposed kernels, worked by hand") {
  const auto file = weights_in_memory(WeightsLayout::keras, {{"d/kernel", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                                             {"t/kernel", {2, 1, 2, 3}, counting({2, 1, 2, 3})},
                                                             {"b/bias", {2}, {7, 8}}});
  Parameters p;
  p.add("d/kernel", dense, {3, 2})
      .add("t/kernel", ParameterKind::conv_transpose, {2, 2, 1, 3})
      .add("b/bias", vector, {2});
  CHECK(load_parameters(file, p.slots()).summary() == "3 used, 0 unused, 0 missing, 0 of wrong shape");
  CHECK(p[0] == std::vector<float>{1, 4, 2, 5, 3, 6});
  // File [kh, kw, out, in]: element (a, o, i) is 6 a + 3 o + i. Ours is (o, a, i).
  CHECK(p[1] == std::vector<float>{0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11});
  CHECK(p[2] == std::vector<float>{7, 8});
}

TEST_CASE("load_parameters: box deltas change from (dy, dx, dh, dw) to (dx, dy, dw, dh)") {
  // Two anchors or classes; the channel number says what it is: 0 dy, 1 dx, 2 dh, 3 dw, then the same + 10.
  const std::vector<float> channels = {0, 1, 2, 3, 10, 11, 12, 13};
  const std::vector<float> ours = {1, 0, 3, 2, 11, 10, 13, 12};
  const auto file = weights_in_memory(WeightsLayout::keras, {{"rpn_bbox_pred/kernel", {1, 1, 1, 8}, channels},
                                                             {"rpn_bbox_pred/bias", {8}, channels},
                                                             {"mrcnn_bbox_fc/kernel", {1, 8}, channels},
                                                             {"mrcnn_bbox_fc/bias", {8}, channels},
                                                             {"mrcnn_class_logits/bias", {8}, channels}});
  Parameters p;
  p.add("rpn_bbox_pred/kernel", conv, {8, 1, 1, 1}).add("rpn_bbox_pred/bias", vector, {8});
  p.add("mrcnn_bbox_fc/kernel", dense, {8, 1}).add("mrcnn_bbox_fc/bias", vector, {8});
  p.add("mrcnn_class_logits/bias", vector, {8});
  load_parameters(file, p.slots()).throw_if_incomplete();
  for (std::size_t i = 0; i < 4; ++i) CHECK(p[i] == ours);
  CHECK(p[4] == channels);

  Parameters odd;
  odd.add("rpn_bbox_pred/bias", vector, {7});
  CHECK(message_of([&] { load_parameters(file, odd.slots()); }) ==
        "load_parameters: parameter 'rpn_bbox_pred/bias' has shape [7], expected a multiple of 4 output channels");
}

TEST_CASE("load_parameters: every array is reported") {
  const auto file = weights_in_memory(WeightsLayout::keras, {{"a/bias", {2}, {1, 2}},
                                                             {"logits/kernel", {4, 81}, counting({4, 81})},
                                                             {"extra/bias", {1}, {1}},
                                                             {"h/bias", {1}, {3}, DataType::f16}});
  Parameters p;
  p.add("a/bias", vector, {2})
      .add("logits/kernel", dense, {2, 4})
      .add("gone/kernel", conv, {8, 3, 3, 4})
      .add("h/bias", vector, {1});
  const auto report = load_parameters(file, p.slots());
  CHECK(report.summary() == "2 used (1 converted to float32), 1 unused, 1 missing, 1 of wrong shape");
  CHECK_FALSE(report.complete());
  CHECK(p[0] == std::vector<float>{1, 2});
  CHECK(p[1][0] == -99.0F);  // left as it was
  CHECK(p[2][0] == -99.0F);
  CHECK(p[3][0] == 3.0F);
  CHECK(report.table() ==
        "array          shape         type  status\n"
        "a/bias         [2]           F32   used\n"
        "logits/kernel  [4, 81]       F32   wrong shape, expected [4, 2]\n"
        "gone/kernel    [3, 3, 4, 8]  -     missing\n"
        "h/bias         [1]           F16   used, converted to F32\n"
        "extra/bias     [1]           F32   unused\n"
        "2 used (1 converted to float32), 1 unused, 1 missing, 1 of wrong shape\n");
  CHECK(message_of([&] { report.throw_if_incomplete(); }) ==
        "memory: does not fit this model: 1 array missing ('gone/kernel' with shape [3, 3, 4, 8]); 1 array of wrong "
        "shape "
        "('logits/kernel' has shape [4, 81], expected [4, 2]); compare the class count and backbone of the "
        "configuration with "
        "the file's");
}

TEST_CASE("load_parameters: NaN and infinity in a used array are an error that names it") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(10000, 0.0F);
    values[9000] = bad;
    const auto file =
        weights_in_memory(WeightsLayout::keras, {{"a/bias", {1}, {0}}, {"c/kernel", {1, 1, 100, 100}, values}});
    Parameters p;
    p.add("a/bias", vector, {1}).add("c/kernel", conv, {100, 1, 1, 100});
    CHECK(message_of([&] { load_parameters(file, p.slots()); }) ==
          "memory: array 'c/kernel' is NaN or infinite at element 9000, expected finite weights: the file is damaged, "
          "or its "
          "training diverged");
    Parameters other;  // not used, not our business
    other.add("a/bias", vector, {1});
    CHECK_NOTHROW(load_parameters(file, other.slots()));
  }
}

TEST_CASE("load_parameters: a double that no float can hold is not called infinite") {
  const TemporaryFolder folder;
  const std::string path = folder / "m.safetensors";
  float loaded[3];
  const ParameterSlot slot{"a/bias", vector, {3}, loaded};
  const auto error = [&](double value) {
    const double values[] = {1, value, 3};
    write_safetensors(path, {{"a/bias", DataType::f64, {3}, values}}, {{"format", "mrcnn"}, {"format_version", "1"}});
    return message_of([&] { load_parameters(open_native_weights(path), {&slot, 1}); });
  };
  for (const double value : {1e300, -1e39})
    CHECK(error(value) == path + ": array 'a/bias' is " + (value > 0 ? "1e+300" : "-1e+39") +
                              " at element 1, beyond the range of float32, expected weights within +-3.4e38: the file "
                              "is damaged, or its training diverged");
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()})
    CHECK(error(value).find(": array 'a/bias' is NaN or infinite at element 1, expected finite weights") !=
          std::string::npos);
  CHECK(error(3.4e38).find("beyond") == std::string::npos);
}

TEST_CASE("native format: an array without elements is refused, whatever size its shape claims") {
  const TemporaryFolder folder;
  write_safetensors(folder / "m", {{"a/bias", DataType::f32, {0, 1000000}, nullptr}},
                    {{"format", "mrcnn"}, {"format_version", "1"}});
  CHECK(message_of([&] { open_native_weights(folder / "m"); }) ==
        folder / "m" + ": tensor 'a/bias' has shape [0, 1000000], expected weights without an extent of 0");
}

TEST_CASE("load_parameters: nothing to load, empty arrays, wrong rank") {
  const auto file =
      weights_in_memory(WeightsLayout::keras, {{"a/kernel", {3, 3, 0, 5}, {}}, {"b/kernel", {1, 1, 5, 0}, {}}});
  CHECK(load_parameters(file, {}).summary() == "0 used, 2 unused, 0 missing, 0 of wrong shape");
  Parameters p;
  p.add("a/kernel", conv, {5, 3, 3, 0}).add("b/kernel", conv, {0, 1, 1, 5});
  CHECK(load_parameters(file, p.slots()).complete());
  Parameters wrong;
  wrong.add("a/kernel", conv, {5, 3});
  CHECK(message_of([&] { load_parameters(file, wrong.slots()); }) ==
        "stored_shape: parameter 'a/kernel' has shape [5, 3], expected 4 extents");
}

TEST_CASE("load_parameters: the same for any number of threads") {
  std::vector<test::ArrayInMemory> arrays;
  Parameters one;
  Parameters many;
  for (int i = 0; i < 50; ++i) {
    const index_t channels = 1 + 7 * i % 61;
    const std::string name = "layer" + std::to_string(i) + "/kernel";
    arrays.push_back({name, {3, 3, channels, 17}, counting({3, 3, channels, 17})});
    one.add(name, conv, {17, 3, 3, channels});
    many.add(name, conv, {17, 3, 3, channels});
  }
  const auto file = weights_in_memory(WeightsLayout::keras, arrays);
  load_parameters(file, one.slots(), {.threads = 1});
  load_parameters(file, many.slots(), {.threads = 8});
  for (std::size_t i = 0; i < 50; ++i) CHECK(one[i] == many[i]);
}

TEST_CASE("native format: saved and loaded again, nothing changes") {
  const TemporaryFolder folder;
  Parameters p;
  p.add("rpn_bbox_pred/kernel", conv, {4, 1, 1, 2})
      .add("mrcnn_mask_deconv/kernel", ParameterKind::conv_transpose, {2, 2, 2, 3});
  p.add("fc/kernel", dense, {3, 2}).add("bn/gamma", vector, {5});
  for (const auto& slot : p.slots()) std::iota(slot.data, slot.data + io::detail::shape_size(slot.shape), 1.0F);
  save_parameters(folder / "m.safetensors", p.slots(), {"{\"num_classes\":2}", {"cat", "d\xC3\xB6g \"x\""}});

  const auto file = open_native_weights(folder / "m.safetensors");
  CHECK(file.layout() == WeightsLayout::native);
  CHECK(file.metadata().at("format") == "mrcnn");
  CHECK(file.metadata().at("format_version") == "1");
  CHECK(native_metadata(file).config == "{\"num_classes\":2}");
  CHECK(native_metadata(file).class_names == std::vector<std::string>{"cat", "d\xC3\xB6g \"x\""});
  Parameters q;
  for (const auto& slot : p.slots()) q.add(slot.name, slot.kind, slot.shape);
  CHECK(load_parameters(file, q.slots()).summary() == "4 used, 0 unused, 0 missing, 0 of wrong shape");
  for (std::size_t i = 0; i < 4; ++i) CHECK(p[i] == q[i]);

  save_parameters(folder / "again.safetensors", q.slots(), native_metadata(file));
  CHECK(test::file_bytes(folder / "m.safetensors") == test::file_bytes(folder / "again.safetensors"));
}

TEST_CASE("native format: any other safetensors file is refused, never guessed") {
  const TemporaryFolder folder;
  const float value = 1;
  const std::int32_t whole = 1;
  const std::string path = folder / "m.safetensors";
  const auto error = [&](const std::vector<SafeTensorSource>& tensors,
                         const std::map<std::string, std::string>& metadata) {
    write_safetensors(path, tensors, metadata);
    return message_of([&] { open_native_weights(path); });
  };
  const SafeTensorSource floats{"conv1/bias", DataType::f32, {1}, &value};
  CHECK(error({floats}, {}).find(path + ": is a safetensors file without format 'mrcnn' in its metadata") == 0);
  CHECK(error({floats}, {{"format", "pt"}}).find("without format 'mrcnn'") != std::string::npos);
  CHECK(error({floats}, {{"format", "mrcnn"}}).find("has format_version '', expected '1'") != std::string::npos);
  CHECK(error({floats}, {{"format", "mrcnn"}, {"format_version", "2"}})
            .find(path + ": has format_version '2', expected '1'") == 0);
  CHECK(error({{"conv1/bias", DataType::i32, {1}, &whole}}, {{"format", "mrcnn"}, {"format_version", "1"}}) ==
        path + ": tensor 'conv1/bias' has dtype I32, expected floating-point weights");
  write_safetensors(path, {floats}, {{"format", "mrcnn"}, {"format_version", "1"}, {"class_names", "[1]"}});
  CHECK(message_of([&] { native_metadata(open_native_weights(path)); }) ==
        path + ": class_names: [0]: found a number, expected a string");
}

TEST_CASE("weights file: two arrays of one name are refused") {
  CHECK(message_of([] {
          weights_in_memory(WeightsLayout::keras, {{"a/bias", {1}, {1}}, {"a/bias", {1}, {2}}});
        }) == "memory: has two arrays named 'a/bias', expected each name once");
}
