#ifndef MRCNN_IO_DETAIL_JSON_ARRAY_READER_HPP
#define MRCNN_IO_DETAIL_JSON_ARRAY_READER_HPP

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/detail/json_problem.hpp"
#include "mrcnn/io/detail/json_splitter.hpp"
#include "mrcnn/io/detail/plain_json.hpp"

namespace mrcnn::io::detail {

/// A file or a text in memory.
class TextSource {
 public:
  explicit TextSource(const InputFile& file) : file_(&file), name_(file.path()), size_(file.size()) {}
  TextSource(std::string_view text, std::string name) : text_(text), name_(std::move(name)), size_(text.size()) {}

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, char* to, std::size_t count) const {
    if (file_ != nullptr)
      file_->read(offset, to, count);
    else
      text_.copy(to, count, static_cast<std::size_t>(offset));
  }
  /// Throws: FormatError that says where and why the text can not be read as JSON.
  [[noreturn]] void fail_as_json(const std::string& otherwise) const {
    std::string all(static_cast<std::size_t>(size_), '\0');
    read(0, all.data(), all.size());
    throw FormatError(json_problem(all, name_, otherwise));
  }

 private:
  const InputFile* file_ = nullptr;
  std::string_view text_;
  std::string name_;
  std::uint64_t size_;
};

struct JsonArrayReaderOptions {
  int threads = 0;
  std::size_t chunk_bytes = std::size_t{256} << 10U;
  std::size_t window_bytes = 0;  ///< 0: enough chunks for all threads
  std::function<bool(std::uint64_t bytes_done, std::uint64_t bytes)> progress = {};
  std::string expected = "an array";  ///< at the top, for messages
};

/// Reads JSON texts that are long arrays: the file goes through two windows, one of which is filled and cut into chunks
/// while the chunks of the other are parsed, each by one thread. Texts of any size; memory for the windows only.
class JsonArrayReader {
 public:
  JsonArrayReader(const TextSource& source, std::span<const std::string_view> names,
                  const JsonArrayReaderOptions& options)
      : source_(source),
        options_(options),
        backend_(options.threads),
        splitter_(names, options.chunk_bytes),
        parsers_(static_cast<std::size_t>(backend_.threads())) {
    window_bytes_ = options.window_bytes;
    if (window_bytes_ == 0)
      window_bytes_ = std::max<std::size_t>(std::size_t{4} << 20U,
                                            static_cast<std::size_t>(backend_.threads()) * 8 * options.chunk_bytes);
  }

  /// Calls expect(chunks, bytes_left) for one window after the other, then, on any thread, parse(chunk, array) with the array
  /// of a chunk's elements. What they throw is thrown on, the first in the order of the file.
  ///
  /// Returns what the text is without the elements, valid as long as this reader. Throws: FormatError where the text is not JSON, or not of the expected kind
  /// at the top; Cancelled.
  template <class Expect, class Parse>
  simdjson::dom::element read(const Expect& expect, const Parse& parse) {
    return read(expect, parse, [](const JsonChunk&, std::string_view) { return false; });
  }
  /// As above, but parse_plain(chunk, text) comes before `parse`, which is not called where it returns true. Behind the
  /// text PlainJson::padding bytes can be read.
  template <class Expect, class Parse, class ParsePlain>
  simdjson::dom::element read(const Expect& expect, const Parse& parse, const ParsePlain& parse_plain) {
    fill_next();
    while (true) {
      std::swap(window_, next_);
      expect(std::span<const JsonChunk>(window_.chunks), source_.size() - window_.end);
      const bool more = !splitter_.broken() && window_.end < source_.size();
      next_.chunks.clear();
      parse_window(parse, parse_plain, more);
      if (options_.progress && !options_.progress(window_.end, source_.size()))
        throw Cancelled(source_.name() + ": reading was cancelled after " + std::to_string(window_.end) + " of " +
                        std::to_string(source_.size()) + " bytes");
      if (!more) break;
    }
    if (splitter_.broken()) fail_as_broken();
    if (splitter_.in_array()) parse_unfinished(expect, parse);
    const auto skeleton = skeleton_parser_.parse(splitter_.skeleton());
    if (skeleton.error() != simdjson::SUCCESS) fail_as_json(skeleton.error());
    return skeleton.value_unsafe();
  }
  /// How many arrays of this name there were.
  std::size_t times_seen(std::size_t name) const { return splitter_.times_seen(name); }

 private:
  struct Window {
    std::vector<char> bytes;
    std::size_t size = 0;
    std::uint64_t end = 0;  // in the file
    std::vector<JsonChunk> chunks;
  };
  struct ChunkParser {
    simdjson::dom::parser parser;
    std::vector<char> buffer;

    /// Elements and the commas between them, as an array that lives until the next call.
    simdjson::simdjson_result<simdjson::dom::element> parse(std::string_view elements) {
      const std::size_t size = elements.size() + 2;
      if (buffer.size() < size + simdjson::SIMDJSON_PADDING)
        buffer = std::vector<char>(size + size / 4 + simdjson::SIMDJSON_PADDING);
      buffer[0] = '[';
      elements.copy(buffer.data() + 1, elements.size());
      buffer[size - 1] = ']';
      return parser.parse(buffer.data(), size, false);
    }
  };

  /// Into `next_`: what is left of `window_`, and bytes behind it.
  void fill_next() {
    const std::size_t left_from = window_.size == 0 ? 0 : splitter_.kept_from();
    const std::size_t left = window_.size - left_from;
    // An element that is larger than a window is read in steps that double, so that it is not moved again and again.
    const auto step =
        static_cast<std::size_t>(std::min<std::uint64_t>(source_.size() - window_.end, std::max(window_bytes_, left)));
    if (next_.bytes.size() < left + step + PlainJson::padding)
      next_.bytes = std::vector<char>(left + step + PlainJson::padding);
    if (left > 0) std::memcpy(next_.bytes.data(), window_.bytes.data() + left_from, left);
    source_.read(window_.end, next_.bytes.data() + left, step);
    next_.size = left + step;
    next_.end = window_.end + step;
    std::size_t from = left;
    if (window_.end == 0 && std::string_view(next_.bytes.data(), next_.size).substr(0, 3) == "\xEF\xBB\xBF") from = 3;
    splitter_.advance({next_.bytes.data(), next_.size}, from, next_.chunks);
  }

  /// Parses the chunks of `window_`; at the same time the next one is filled, if there is more.
  template <class Parse, class ParsePlain>
  void parse_window(const Parse& parse, const ParsePlain& parse_plain, bool more) {
    const std::vector<JsonChunk>& chunks = window_.chunks;
    std::vector<std::exception_ptr> problems(chunks.size());
    std::exception_ptr reading;
    const auto task = [&](index_t i, int worker) {
      try {
        if (more && i == 0)
          fill_next();
        else
          parse_chunk(chunks[static_cast<std::size_t>(i - (more ? 1 : 0))], parsers_[static_cast<std::size_t>(worker)],
                      parse, parse_plain);
      } catch (...) {
        (more && i == 0 ? reading : problems[static_cast<std::size_t>(i - (more ? 1 : 0))]) = std::current_exception();
      }
    };
    backend_.run_tasks(static_cast<index_t>(chunks.size()) + (more ? 1 : 0), task);
    for (const std::exception_ptr& problem : problems)
      if (problem) rethrow(problem);
    if (reading) std::rethrow_exception(reading);
  }

  [[noreturn]] void fail_as_broken() const {
    const char top = splitter_.top();
    if (splitter_.is_other_kind() && (top == '{' || top == '['))
      throw FormatError(source_.name() + ": found " + (top == '{' ? "an object" : "an array") +
                        " at the top, expected " + options_.expected);
    source_.fail_as_json("brackets do not match, or there is only a single value; expected " + options_.expected);
  }

  struct NotJson {
    simdjson::error_code error;
  };
  [[noreturn]] void rethrow(const std::exception_ptr& problem) const {
    try {
      std::rethrow_exception(problem);
    } catch (const NotJson& not_json) {
      fail_as_json(not_json.error);
    }
  }
  [[noreturn]] void fail_as_json(simdjson::error_code error) const {
    if (error == simdjson::MEMALLOC) throw Error(source_.name() + ": out of memory while reading JSON");
    source_.fail_as_json(error == simdjson::DEPTH_ERROR
                             ? std::string("values nest deeper than 1024, expected at most that")
                             : std::string(simdjson::error_message(error)) + ", expected JSON");
  }

  template <class Parse, class ParsePlain>
  void parse_chunk(const JsonChunk& chunk, ChunkParser& own, const Parse& parse, const ParsePlain& parse_plain) const {
    const std::string_view text(window_.bytes.data() + chunk.begin, chunk.end - chunk.begin);
    if (parse_plain(chunk, text)) return;
    simdjson::dom::array elements;
    if (own.parse(text).get_array().get(elements) != simdjson::SUCCESS) parse_each(chunk, text, own, parse);
    parse(chunk, elements);
  }
  /// For a chunk that is not JSON: an element before the place may be refused by `parse`.
  template <class Parse>
  [[noreturn]] void parse_each(const JsonChunk& chunk, std::string_view text, ChunkParser& own,
                               const Parse& parse) const {
    JsonSplitter splitter({}, 0);
    std::vector<JsonChunk> each;
    splitter.advance("[" + std::string(text) + (chunk.end == chunk.begin ? "" : "]"), 0, each);
    for (JsonChunk& one : each) {
      const auto result = own.parse(text.substr(one.begin - 1, one.end - one.begin));
      simdjson::dom::array elements;
      if (result.get_array().get(elements) != simdjson::SUCCESS) throw NotJson{result.error()};
      one.array = chunk.array;
      one.repeated = chunk.repeated;
      one.first += chunk.first;
      parse(one, elements);
    }
    throw NotJson{simdjson::TAPE_ERROR};
  }
  /// The text ends inside an array.
  template <class Expect, class Parse>
  [[noreturn]] void parse_unfinished(const Expect& expect, const Parse& parse) {
    const std::size_t from = splitter_.kept_from();
    const auto expect_and_parse = [&](const JsonChunk& one, const simdjson::dom::array& elements) {
      expect(std::span<const JsonChunk>(&one, 1), std::uint64_t{0});
      parse(one, elements);
    };
    try {
      parse_each(splitter_.unfinished(), {window_.bytes.data() + from, window_.size - from}, parsers_[0],
                 expect_and_parse);
    } catch (const NotJson& not_json) {
      fail_as_json(not_json.error);
    }
  }

  const TextSource& source_;
  const JsonArrayReaderOptions& options_;
  HostBackend backend_;
  JsonSplitter splitter_;
  std::vector<ChunkParser> parsers_;
  simdjson::dom::parser skeleton_parser_;
  std::size_t window_bytes_ = 0;
  Window window_;
  Window next_;
};

}  // namespace mrcnn::io::detail

#endif
