#ifndef MRCNN_EXAMPLES_CLI_COMMAND_LINE_HPP
#define MRCNN_EXAMPLES_CLI_COMMAND_LINE_HPP

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mrcnn/io/detail/nearest_name.hpp"

namespace mrcnn::cli {

/// The command line is wrong, whatever the files hold: exit status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The options of one command: parsed, and described for its help text, from one list.
///
/// `--name VALUE` and `--name=VALUE` are the same; everything after `--` is an argument. A value is taken as it stands:
/// nothing is split, expanded or guessed. One that begins with `--` needs the equals sign, since it is more likely the
/// next option. Throws UsageError for what it does not know.
class CommandLine {
 public:
  explicit CommandLine(std::string command) : command_(std::move(command)) {}

  CommandLine& flag(const std::string& name, const std::string& help, bool& target) {
    options_.push_back({name, "", help, &target});
    return *this;
  }
  CommandLine& option(const std::string& name, const std::string& value, const std::string& help,
                      std::optional<std::string>& target) {
    options_.push_back({name, value, help, &target});
    return *this;
  }

  /// Fills the targets; returns what is no option. `help` becomes true when --help or -h comes before anything wrong.
  std::vector<std::string> parse(const std::vector<std::string>& words, bool& help) {
    std::vector<std::string> arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (word == "--") {
        arguments.insert(arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
        break;
      }
      if (word == "--help" || word == "-h") {
        help = true;
        break;
      } else if (word.size() < 2 || word[0] != '-') {
        arguments.push_back(word);
      } else {
        parse_option(words, i);
      }
    }
    return arguments;
  }

  /// The options, one paragraph each.
  std::string describe() const {
    std::string text;
    for (const Option& option : options_) {
      std::string head = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
      head.resize(std::max<std::size_t>(head.size() + 2, indent), ' ');
      text += head.size() > indent ? head + "\n" + std::string(indent, ' ') : head;
      for (const char c : option.help) text += c == '\n' ? "\n" + std::string(indent, ' ') : std::string(1, c);
      text += '\n';
    }
    return text;
  }

  [[noreturn]] void fail(const std::string& text) const {
    throw UsageError(text + "; mrcnn " + command_ + " --help tells more");
  }

  /// A number from `low` to `high`. Throws UsageError for anything else, also NaN.
  double number(const std::string& option, const std::string& text, double low, double high,
                const std::string& expected) const {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || !(value >= low && value <= high))
      fail(option + " is '" + text + "', expected " + expected);
    return value;
  }
  int integer(const std::string& option, const std::string& text, int low, int high) const {
    int value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < low || value > high)
      fail(option + " is '" + text + "', expected a whole number from " + std::to_string(low) + " to " +
           std::to_string(high));
    return value;
  }

 private:
  static constexpr std::size_t indent = 26;

  struct Option {
    std::string name;
    std::string value;  // what its value is called; empty for a flag
    std::string help;
    std::variant<bool*, std::optional<std::string>*> target;
  };

  void parse_option(const std::vector<std::string>& words, std::size_t& i) {
    const std::string& word = words[i];
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::vector<std::string> known;
    for (const Option& option : options_) {
      known.push_back(option.name);
      if (option.name != name) continue;
      if (bool* const* flag = std::get_if<bool*>(&option.target)) {
        if (equals != std::string::npos) fail(name + " takes no value, found '" + word + "'");
        **flag = true;
        return;
      }
      auto& target = *std::get<std::optional<std::string>*>(option.target);
      if (target) fail(name + " is given twice, expected once");
      if (equals == std::string::npos && (i + 1 == words.size() || words[i + 1].compare(0, 2, "--") == 0))
        fail(name + " has no value, expected " + option.value);
      target = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
      if (target->empty()) fail(name + " has an empty value, expected " + option.value);
      return;
    }
    fail("unknown option '" + name + "'" + io::detail::did_you_mean(name, known));
  }

  std::string command_;
  std::vector<Option> options_;
};

}  // namespace mrcnn::cli

#endif
