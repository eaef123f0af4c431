#include "mrcnn/io/keras_hdf5.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numeric>
#include <string>
#include <vector>

#include "mrcnn/io/open_weights.hpp"
#include "tests/support/files.hpp"
#include "tests/support/keras_file.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::KerasArray;
using test::KerasFile;
using test::KerasFileOptions;
using test::message_of;
using test::Storage;
using test::StoredType;
using test::TemporaryFolder;

namespace {

std::vector<float> counting(std::size_t n, float first) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// A little of everything that a Keras file has.
void write_sample(const std::string& path, const KerasFileOptions& options) {
  KerasFile file(path, options);
  file.layer("input_image");
  file.layer("conv1", {{"conv1/kernel:0", {7, 7, 3, 4}, counting(588, 0)}, {"conv1/bias:0", {4}, counting(4, 1000)}});
  file.layer("bn_conv1", {{"bn_conv1/gamma:0", {4}, counting(4, 1)},
                          {"bn_conv1/beta:0", {4}, counting(4, 2)},
                          {"bn_conv1/moving_mean:0", {4}, counting(4, 3)},
                          {"bn_conv1/moving_variance:0", {4}, counting(4, 4)}});
  file.layer("rpn_model", {{"rpn_conv_shared/kernel:0", {3, 3, 2, 2}, counting(36, 5)},
                           {"rpn_conv_shared/bias:0", {2}, counting(2, 6)},
                           {"rpn_class_raw/bias:0", {6}, counting(6, 7)}});
  file.layer("activation_1");
}

void check_sample(const std::string& path) {
  const auto file = open_keras_weights(path);
  std::vector<std::string> names;
  for (const auto& array : file.arrays()) names.push_back(array.name);
  CHECK(names == std::vector<std::string>{"conv1/kernel", "conv1/bias", "bn_conv1/gamma", "bn_conv1/beta",
                                          "bn_conv1/moving_mean", "bn_conv1/moving_variance", "rpn_conv_shared/kernel",
                                          "rpn_conv_shared/bias", "rpn_class_raw/bias"});
  CHECK(file.arrays()[0].shape == std::vector<index_t>{7, 7, 3, 4});
  CHECK(file.arrays()[0].dtype == DataType::f32);
  CHECK(file.read(0) == counting(588, 0));
  CHECK(file.read(1) == counting(4, 1000));
  CHECK(file.read(5) == counting(4, 4));
  CHECK(file.read(6) == counting(36, 5));
  CHECK(file.read(8) == counting(6, 7));
  CHECK(file.layout() == WeightsLayout::keras);
  CHECK(file.metadata().empty());
}

const std::string incomplete = ": the file is damaged or incomplete; fetch or save it again";

std::string error_of(const std::string& path) {
  const std::string message = message_of([&] { open_keras_weights(path); });
  return message.rfind(path + ": ", 0) == 0 ? message.substr(path.size() + 2) : "(no file name) " + message;
}

}  // namespace

TEST_CASE("keras_hdf5: every way Keras and h5py have written such files reads the same") {
  const TemporaryFolder folder;
  int variants = 0;
  for (const bool variable : {false, true})
    for (const bool model : {false, true})
      for (const bool newest : {false, true})
        for (const Storage storage : {Storage::contiguous, Storage::chunked, Storage::compressed})
          for (const std::size_t split : {0U, 2U}) {
            const std::string path = folder / ("v" + std::to_string(variants++));
            CAPTURE(variable);
            CAPTURE(model);
            CAPTURE(newest);
            CAPTURE(split);
            write_sample(path, {.variable_strings = variable,
                                .model_weights = model,
                                .newest_format = newest,
                                .storage = storage,
                                .names_per_attribute = split});
            check_sample(path);
          }
  CHECK(variants == 48);
}

TEST_CASE("keras_hdf5: behind a user block, and a layer's list of all names") {
  const TemporaryFolder folder;
  write_sample(folder / "x", {.user_block = 1024});
  check_sample(folder / "x");
  const auto file = KerasWeightsFile::open(folder / "x");
  REQUIRE(file->layers().size() == 5);
  CHECK(file->layers()[0].name == "input_image");
  CHECK(file->layers()[0].weights.empty());
  CHECK(file->layers()[1].weights == std::vector<std::string>{"conv1/kernel:0", "conv1/bias:0"});
}

TEST_CASE("keras_hdf5: half, bfloat16, double and big-endian numbers are converted, and the report says so") {
  const TemporaryFolder folder;
  const std::vector<float> values = {1.5F, -0.25F, 1024};
  {
    KerasFile file(folder / "x");
    file.layer("a", {{"a/bias:0", {3}, values, StoredType::f16}});
    file.layer("b", {{"b/bias:0", {3}, values, StoredType::f64}});
    file.layer("c", {{"c/bias:0", {3}, values, StoredType::bf16}});
    file.layer("d", {{"d/bias:0", {3}, values, StoredType::f32_big_endian}});
  }
  const auto file = open_keras_weights(folder / "x");
  CHECK(file.arrays()[0].dtype == DataType::f16);
  CHECK(file.arrays()[1].dtype == DataType::f64);
  CHECK(file.arrays()[2].dtype == DataType::bf16);
  CHECK(file.arrays()[3].dtype == DataType::f32);
  for (std::size_t i = 0; i < 4; ++i) CHECK(file.read(i) == values);
  std::vector<float> memory(12);
  std::vector<ParameterSlot> slots;
  for (const char* name : {"a/bias", "b/bias", "c/bias", "d/bias"})
    slots.push_back({name, ParameterKind::vector, {3}, memory.data() + 3 * slots.size()});
  CHECK(load_parameters(file, slots).summary() ==
        "4 used (3 converted to float32), 0 unused, 0 missing, 0 of wrong shape");
}

TEST_CASE("keras_hdf5: a layer's own name counts, whatever its variables are called") {
  const TemporaryFolder folder;
  {
    KerasFile file(folder / "x");
    file.layer("conv1", {{"conv1_2/kernel:0", {1}, {1}}, {"conv1_2/bias:0", {1}, {2}}});
    file.layer("plain", {{"kernel:0", {1}, {3}}});
    file.layer("deep", {{"scope/deep/kernel", {1}, {4}}});
  }
  const auto file = open_keras_weights(folder / "x");
  CHECK(file.arrays()[0].name == "conv1/kernel");
  CHECK(file.arrays()[1].name == "conv1/bias");
  CHECK(file.arrays()[2].name == "plain/kernel");
  CHECK(file.arrays()[3].name == "deep/kernel");
  CHECK(file.read(3) == std::vector<float>{4});
}

TEST_CASE("keras_hdf5: arrays that are not floating-point are refused by name") {
  const TemporaryFolder folder;
  { KerasFile(folder / "i").layer("a", {{"a/kernel:0", {2}, {1, 2}, StoredType::i64}}); }
  CHECK(error_of(folder / "i") == "array 'a/a/kernel:0' holds 64-bit integers, expected floating-point numbers");
  { KerasFile(folder / "s").layer("a", {{"a/kernel:0", {2}, {}, StoredType::string}}); }
  CHECK(error_of(folder / "s") == "array 'a/a/kernel:0' holds strings, expected floating-point numbers");
}

TEST_CASE("keras_hdf5: what the names promise and the file lacks is named") {
  const TemporaryFolder folder;
  { KerasFile(folder / "array").layer_without_arrays("a", {"a/kernel:0"}); }
  CHECK(error_of(folder / "array") == "lists the array 'a/a/kernel:0' but does not hold it" + incomplete);
  { KerasFile(folder / "layer").only_listed("a"); }
  CHECK(error_of(folder / "layer") == "lists the layer 'a' but has no group of that name" + incomplete);
  {
    KerasFile file(folder / "attribute");
    file.only_listed("a");
    const test::H5 group(H5Gcreate2(file.group(), "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  }
  CHECK(error_of(folder / "attribute") ==
        "layer 'a' has no attribute 'weight_names', expected a list of its arrays" + incomplete);
  { const test::H5 file(H5Fcreate((folder / "empty").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose); }
  CHECK(error_of(folder / "empty").find("has no attribute 'layer_names' at its root or in a group 'model_weights'") ==
        0);
}

TEST_CASE("keras_hdf5: links that lead elsewhere are not followed") {
  const TemporaryFolder folder;
  write_sample(folder / "other", {});
  {
    KerasFile file(folder / "x");
    file.layer_without_arrays("conv1", {"conv1/kernel:0"});
    const test::H5 group(H5Gopen2(file.group(), "conv1", H5P_DEFAULT), H5Gclose);
    H5Lcreate_external((folder / "other").c_str(), "/conv1/conv1", group, "conv1", H5P_DEFAULT, H5P_DEFAULT);
  }
  CHECK(error_of(folder / "x") == "lists the array 'conv1/conv1/kernel:0' but does not hold it" + incomplete);
}

TEST_CASE("keras_hdf5: a shape that no stored bytes back is refused before memory is taken for it") {
  const TemporaryFolder folder;
  {
    KerasFile file(folder / "x");
    file.layer_without_arrays("a", {"kernel:0"});
    const hsize_t extents[] = {hsize_t{1} << 20, hsize_t{1} << 20};
    const hsize_t chunk[] = {1, 1024};
    const test::H5 space(H5Screate_simple(2, extents, nullptr), H5Sclose);
    const test::H5 creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_chunk(creation, 2, chunk);
    const test::H5 data(
        H5Dcreate2(file.group(), "a/kernel:0", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
  }
  CHECK(error_of(folder / "x") ==
        "array 'a/kernel:0' has shape [1048576, 1048576] but only 0 bytes are stored for it" + incomplete);
}

TEST_CASE("keras_hdf5: an array of no dimensions is read, one of no elements refused") {
  const TemporaryFolder folder;
  { KerasFile(folder / "x").layer("a", {{"a/scale:0", {}, {2.5F}}}); }
  CHECK(open_keras_weights(folder / "x").read(0) == std::vector<float>{2.5F});
  { KerasFile(folder / "x").layer("a", {{"a/kernel:0", {3, 0}, {}}}); }
  CHECK(error_of(folder / "x") == "array 'a/a/kernel:0' has shape [3, 0], expected weights without an extent of 0");
}

TEST_CASE("keras_hdf5: a double that no float can hold is not called infinite") {
  const TemporaryFolder folder;
  {
    KerasFile file(folder / "x");
    file.layer_without_arrays("a", {"bias:0"});
    const hsize_t extents[] = {2};
    const double values[] = {1, 1e300};
    const test::H5 space(H5Screate_simple(1, extents, nullptr), H5Sclose);
    const test::H5 data(
        H5Dcreate2(file.group(), "a/bias:0", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
    H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  }
  float loaded[2];
  const ParameterSlot slot{"a/bias", ParameterKind::vector, {2}, loaded};
  CHECK(message_of([&] {
          load_parameters(open_keras_weights(folder / "x"), {&slot, 1});
        }).find("x: array 'a/bias' is 1e+300 at element 1, beyond the range of float32, expected ") !=
        std::string::npos);
}

TEST_CASE("keras_hdf5: a truncated file is reported with the size found and expected") {
  const TemporaryFolder folder;
  for (const bool newest : {false, true}) {
    write_sample(folder / "whole", {.newest_format = newest});
    const std::string whole = test::file_bytes(folder / "whole");
    for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 97) {
      test::write_file(folder / "cut", whole.substr(0, size));
      const std::string message = error_of(folder / "cut");
      CAPTURE(message);
      if (size == 0)
        CHECK(message == "is empty, expected an HDF5 file; fetch or save it again");
      else if (size < 8)
        CHECK(message == "is truncated: " + std::to_string(size) + (size == 1 ? " byte" : " bytes") +
                             ", expected an HDF5 file of 48 or more; fetch or save it again");
      else if (size < 48)
        CHECK(message.find("is truncated: the HDF5 superblock needs 48 bytes") == 0);
      else
        CHECK(message == "is truncated: it has " + std::to_string(size) + " bytes, expected " +
                             std::to_string(whole.size()) + " as its header says; download or copy it again");
    }
  }
}

TEST_CASE("keras_hdf5: damaged superblocks") {
  const TemporaryFolder folder;
  write_sample(folder / "x", {});
  std::string bytes = test::file_bytes(folder / "x");
  bytes[8] = 9;
  test::write_file(folder / "x", bytes);
  CHECK(error_of(folder / "x") == "has HDF5 superblock version 9, expected 0 to 3");
  bytes[8] = 0;
  bytes[13] = 100;
  test::write_file(folder / "x", bytes);
  CHECK(error_of(folder / "x") == "has HDF5 addresses of 100 bytes, expected 2, 4 or 8");
  test::write_file(folder / "x", "not at all an HDF5 file");
  CHECK(error_of(folder / "x") == "is not an HDF5 file: its signature was not found in 23 bytes, expected a Keras .h5");
  CHECK(error_of(folder / "none") == "can not be opened: no such file; check the path");
}

TEST_CASE("keras_hdf5: libhdf5 prints nothing and its error handler comes back") {
  const TemporaryFolder folder;
  H5E_auto2_t before = nullptr;
  H5E_auto2_t after = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  { KerasFile(folder / "x").layer_without_arrays("a", {"a/kernel:0"}); }
  (void)error_of(folder / "x");
  H5Eget_auto2(H5E_DEFAULT, &after, &data);
  CHECK((before == after));
  CHECK((before != nullptr));
}

TEST_CASE("keras_hdf5: mutated files are read or refused") {
  // libhdf5 itself is not safe against every damaged file, so each round runs in a process of its own: what is claimed
  // is that our code neither crashes nor allocates beyond reason around it.
  const TemporaryFolder folder;
  test::Draw draw(11);
  int crashed = 0;
  int finished = 0;
  for (const bool newest : {false, true}) {
    write_sample(folder / "seed",
                 {.newest_format = newest, .storage = newest ? Storage::compressed : Storage::contiguous});
    const std::string seed = test::file_bytes(folder / "seed");
    for (int round = 0; round < 150; ++round) {
      std::string bytes = seed;
      for (std::size_t edits = 1 + draw.below(6); edits > 0; --edits)
        bytes[draw.below(bytes.size())] = static_cast<char>(draw.bits());
      test::write_file(folder / "x", bytes);
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        ::alarm(20);
        try {
          const auto file = open_keras_weights(folder / "x");
          for (std::size_t i = 0; i < file.arrays().size(); ++i) (void)file.read(i);
        } catch (const FormatError&) {
        } catch (...) {
          ::_exit(3);
        }
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == 3));
      (WIFEXITED(status) && WEXITSTATUS(status) == 0 ? finished : crashed) += 1;
    }
  }
  MESSAGE(finished << " read or refused, " << crashed << " ended inside libhdf5");
  CHECK(finished > 270);
}

TEST_CASE("open_weights: the format is told by content, not by name") {
  const TemporaryFolder folder;
  write_sample(folder / "keras.safetensors", {});
  CHECK(open_weights(folder / "keras.safetensors").layout() == WeightsLayout::keras);
  float value = 1;
  const ParameterSlot slot{"a/bias", ParameterKind::vector, {1}, &value};
  save_parameters(folder / "native.h5", {&slot, 1}, {});
  CHECK(open_weights(folder / "native.h5").layout() == WeightsLayout::native);
  test::write_file(folder / "text", "hello, this is neither");
  CHECK(message_of([&] { open_weights(folder / "text"); }) ==
        folder / "text" +
            ": is neither HDF5 nor safetensors, expected a Keras .h5 or a .safetensors file made by mrcnn");
  CHECK(message_of([&] { open_weights(folder / "none"); }) ==
        folder / "none" + ": can not be opened: no such file; check the path");
  // A damaged native file is still taken for one, so that the message is about the damage.
  const std::string native = test::file_bytes(folder / "native.h5");
  test::write_file(folder / "cut", native.substr(0, native.size() - 1));
  CHECK(message_of([&] { open_weights(folder / "cut"); }).find(": is truncated: tensor 'a/bias' ends at byte ") !=
        std::string::npos);
  test::write_file(folder / "cut", native.substr(0, 30));
  CHECK(message_of([&] { open_weights(folder / "cut"); }).find(": is truncated: its header claims ") !=
        std::string::npos);
}

TEST_CASE("open_weights: files too short or with an absurd header say so, not that they are neither format") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& name, const std::string& bytes) {
    test::write_file(folder / name, bytes);
    const std::string message = message_of([&] { open_weights(folder / name); });
    REQUIRE(message.rfind(folder / name + ": ", 0) == 0);
    return message.substr((folder / name).size() + 2);
  };
  for (const char* name : {"x", "x.h5", "x.safetensors"}) CHECK(error(name, "").find("is empty, expected ") == 0);

  float value = 1;
  const ParameterSlot slot{"a/bias", ParameterKind::vector, {1}, &value};
  save_parameters(folder / "whole.safetensors", {&slot, 1}, {});
  write_sample(folder / "whole.h5", {});
  const std::string native = test::file_bytes(folder / "whole.safetensors");
  const std::string keras = test::file_bytes(folder / "whole.h5");
  for (std::size_t size = 1; size < 9; ++size) {
    CAPTURE(size);
    CHECK(error("x.safetensors", native.substr(0, size)).find("is truncated: ") == 0);
    CHECK(error("x.h5", keras.substr(0, size)).find("is truncated: ") == 0);
    const auto found = error("x", native.substr(0, size));
    CHECK(found.find("is neither HDF5 nor safetensors") == 0);
    if (size < 8)
      CHECK(found.find(" (" + std::to_string(size) + " bytes), expected a Keras .h5 or ") != std::string::npos);
  }
  CHECK(error("x.h5", keras.substr(0, 7)) ==
        "is truncated: 7 bytes, expected an HDF5 file of 48 or more; fetch or save it again");

  const std::string rest = native.substr(8);
  for (const char* name : {"x", "x.h5", "x.safetensors"}) {
    CAPTURE(name);
    const std::string size = std::to_string(native.size());
    CHECK(error(name, std::string(7, '\0') + '\x80' + rest)
              .find("its header claims 9223372036854775808 bytes, expected "
                    "at most 100000000, and the file has " +
                    size) == 0);
    CHECK(error(name, std::string(8, '\xFF') + rest).find("its header claims 18446744073709551615 bytes, ") == 0);
    CHECK(error(name, std::string("\0\0\1\0\0\0\0\0", 8) + rest)
              .find("is truncated: its header claims 65536 bytes, the file has " + size) == 0);
  }
  CHECK(error("x.safetensors", "hello, this is neither").find("its header claims 8367736964726416744 bytes, ") == 0);
}
