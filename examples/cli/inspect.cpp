#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "mrcnn/io/model_description.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "mrcnn/io/tensor_statistics.hpp"

namespace mrcnn::cli {

namespace {

constexpr const char* help_text =
    R"(usage: mrcnn inspect FILE

Shows what a file holds: Keras .h5 weights, weights in the native format, or the tensors of any .safetensors file, such
as those of mrcnn detect --taps. For every array: shape, type, least and greatest value, mean and standard deviation.
  dead      all values are the same: the layer was never trained (biases of convolutions start at 0 and are exempt)
  overflow  a value lies beyond +-1000 or is not finite: the training diverged
Then the model that the arrays make up, and totals.

Example:
  mrcnn inspect mask_rcnn_coco.h5
)";

/// The number that 8 bits stand for: sign, exponent, fraction.
float small_float(std::uint8_t bits, io::DataType type) {
  if (type == io::DataType::f8_e5m2)  // the upper half of a half
    return io::detail::half_to_float(static_cast<std::uint16_t>(bits << 8));
  const int exponent = bits >> 3 & 15;
  const int fraction = bits & 7;
  if (exponent == 15 && fraction == 7) return std::numeric_limits<float>::quiet_NaN();
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                   : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  return (bits & 0x80U) != 0 ? -size : size;
}

/// The tensors of a safetensors file of any origin and type, as an array each.
class AnyTensors final : public io::WeightsSource {
 public:
  explicit AnyTensors(const std::string& path) : file_(io::SafeTensors::open(path)) {
    for (const auto& tensor : file_.tensors()) arrays_.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
  const std::string& path() const override { return file_.path(); }
  io::WeightsLayout layout() const override { return io::WeightsLayout::native; }
  const std::vector<io::WeightsArray>& arrays() const override { return arrays_; }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }
  void read(std::size_t index, float* destination) const override {
    const auto& tensor = file_.tensors()[index];
    switch (tensor.dtype) {
      case io::DataType::boolean:
      case io::DataType::u8:
      case io::DataType::f8_e4m3:
      case io::DataType::f8_e5m2: return bytes(tensor, destination);
      case io::DataType::i8: return integers<std::int8_t>(tensor, destination);
      case io::DataType::u16: return integers<std::uint16_t>(tensor, destination);
      case io::DataType::i16: return integers<std::int16_t>(tensor, destination);
      case io::DataType::u32: return integers<std::uint32_t>(tensor, destination);
      case io::DataType::i32: return integers<std::int32_t>(tensor, destination);
      case io::DataType::u64: return integers<std::uint64_t>(tensor, destination);
      case io::DataType::i64: return integers<std::int64_t>(tensor, destination);
      case io::DataType::f16:
      case io::DataType::bf16:
      case io::DataType::f32:
      case io::DataType::f64: break;
    }
    file_.read_into(tensor, destination);
  }

 private:
  template <class T>
  void integers(const io::SafeTensorInfo& tensor, float* destination) const {
    std::vector<T> elements(static_cast<std::size_t>(tensor.size()));
    file_.read_bytes(tensor, elements.data());
    for (std::size_t i = 0; i < elements.size(); ++i) destination[i] = static_cast<float>(elements[i]);
  }
  void bytes(const io::SafeTensorInfo& tensor, float* destination) const {
    const bool number = tensor.dtype == io::DataType::u8 || tensor.dtype == io::DataType::boolean;
    std::vector<std::uint8_t> elements(static_cast<std::size_t>(tensor.size()));
    file_.read_bytes(tensor, elements.data());
    for (std::size_t i = 0; i < elements.size(); ++i)
      destination[i] = number ? static_cast<float>(elements[i]) : small_float(elements[i], tensor.dtype);
  }

  io::SafeTensors file_;
  std::vector<io::WeightsArray> arrays_;
};

bool is_native(const io::WeightsFile& file) {
  const auto format = file.metadata().find("format");
  return format != file.metadata().end() && format->second == io::native_format;
}

io::WeightsFile open_any(const std::string& path) {
  if (io::KerasWeightsFile::recognise(path) || !io::SafeTensors::recognise(path)) return io::open_weights(path);
  io::WeightsFile tensors(std::make_shared<AnyTensors>(path));
  return is_native(tensors) ? io::open_native_weights(path) : tensors;
}

std::string plural(index_t count, const char* thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

void print_totals(const std::vector<io::ArrayStatistics>& rows) {
  index_t elements = 0;
  index_t bytes = 0;
  index_t dead = 0;
  index_t overflow = 0;
  index_t not_finite = 0;
  for (const auto& row : rows) {
    elements += row.array.size();
    bytes += row.array.size() * size_of(row.array.dtype);
    dead += row.dead ? 1 : 0;
    overflow += row.values.overflow() ? 1 : 0;
    not_finite += row.values.not_finite;
  }
  std::printf("totals: %s, %s, %.1f MB; %s dead, %s with overflow, %s not finite\n",
              plural(static_cast<index_t>(rows.size()), "array").c_str(), plural(elements, "element").c_str(),
              static_cast<double>(bytes) / 1e6, std::to_string(dead).c_str(), std::to_string(overflow).c_str(),
              plural(not_finite, "value").c_str());
}

}  // namespace

int inspect(const std::vector<std::string>& words) {
  CommandLine line("inspect");
  bool help = false;
  const auto arguments = line.parse(words, help);
  if (help) {
    std::fputs(help_text, stdout);
    return 0;
  }
  if (arguments.empty() || arguments[0].empty()) line.fail("no file, expected one of weights or tensors");
  if (arguments.size() > 1) line.fail("unexpected argument '" + arguments[1] + "', expected one file");

  const io::WeightsFile file = open_any(arguments[0]);
  const bool keras = file.layout() == io::WeightsLayout::keras;
  const auto rows = io::weight_statistics(file);
  std::printf("%s\n", io::statistics_table(rows).c_str());
  std::printf("format: %s\n", keras             ? "Keras HDF5 weights"
                              : is_native(file) ? "native weights of mrcnn (safetensors)"
                                                : "safetensors, not weights of mrcnn");
  for (const auto& [key, text] : file.metadata()) std::printf("metadata: %s = %s\n", key.c_str(), text.c_str());
  if (keras || is_native(file)) std::printf("model: %s\n", io::describe_model(file).summary().c_str());
  print_totals(rows);
  return 0;
}

}  // namespace mrcnn::cli
