#include "class_names.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "mrcnn/coco/categories.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::cli {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::string trimmed(const std::string& text) {
  const char* blank = " \t\r";
  const std::size_t begin = text.find_first_not_of(blank);
  return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

/// Whether the text is meant as the path of a file: there is one, or it looks like one and not like a list of names.
bool names_a_file(const std::string& text) {
  std::error_code ignored;
  if (std::filesystem::exists(text, ignored)) return true;
  if (text.find(',') != std::string::npos) return false;
  return text.find('/') != std::string::npos || (text.size() > 4 && text.rfind(".txt") == text.size() - 4);
}

std::vector<std::string> without_background(std::vector<std::string> names) {
  if (!names.empty() && names[0] == "BG") names.erase(names.begin());
  return names;
}

/// One name a line; empty lines at the end count for nothing.
std::vector<std::string> names_in_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw FormatError(path + ": --classes names a folder, expected a file with one class name a line, or a list; BG," +
                      path + " is a list of that one class");
  const io::detail::InputFile file(path);
  constexpr std::uint64_t most_bytes = 1 << 20;
  if (file.size() > most_bytes)
    throw FormatError(path + ": has " + std::to_string(file.size()) +
                      " bytes, expected a text file with one class name a line");
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  if (text.compare(0, 3, "\xEF\xBB\xBF") == 0) text.erase(0, 3);
  std::vector<std::string> names;
  for (const std::string& line : split(text, '\n')) names.push_back(trimmed(line));
  while (!names.empty() && names.back().empty()) names.pop_back();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].empty())
      throw FormatError(path + ": line " + std::to_string(i + 1) + " is empty, expected a class name");
  return without_background(std::move(names));
}

std::vector<std::string> names_in_list(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& name : split(text, ',')) names.push_back(trimmed(name));
  return names;
}

}  // namespace

void check_class_option(const CommandLine& line, const std::string& classes) {
  if (classes == "coco" || names_a_file(classes)) return;
  for (const std::string& name : names_in_list(classes))
    if (name.empty())
      line.fail("--classes is '" + classes + "', which has an empty name, expected a list such as a,b,c");
}

std::vector<std::string> settle_class_names(const std::optional<std::string>& option,
                                            const std::vector<std::string>& stored, int num_classes,
                                            const std::string& weights) {
  const auto count = static_cast<std::size_t>(num_classes) - 1;
  const auto fitting = [&](std::vector<std::string> names, const std::string& source) {
    if (names.size() != count)
      throw FormatError(source + " has " + std::to_string(names.size()) + (names.size() == 1 ? " name" : " names") +
                        ", expected " + std::to_string(count) + ": as many as " + weights +
                        " has classes without the background");
    return names;
  };
  if (option && *option == "coco") return fitting(coco::category_names(), "--classes coco");
  if (option && names_a_file(*option)) return fitting(names_in_file(*option), *option);
  if (option) return fitting(without_background(names_in_list(*option)), "--classes '" + *option + "'");
  if (!stored.empty()) return fitting(stored, weights + ": metadata");
  std::vector<std::string> names = coco::category_names();
  if (names.size() == count) return names;
  names.clear();
  for (std::size_t i = 1; i <= count; ++i) names.push_back("class " + std::to_string(i));
  return names;
}

}  // namespace mrcnn::cli
