#include "coco_report.hpp"

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "mrcnn/io/json_writer.hpp"
#include "printable.hpp"

namespace mrcnn::cli {

namespace {

constexpr coco::Severity severities[] = {coco::Severity::error, coco::Severity::warning, coco::Severity::note};

std::string plural(std::uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string kind_name(CheckedKind kind) {
  return kind == CheckedKind::annotations ? "annotations" : kind == CheckedKind::results ? "results" : "images";
}

std::string subject_name(coco::Oddity kind, CheckedKind file) {
  switch (coco::subject_of(kind)) {
    case coco::Subject::file: return "";
    case coco::Subject::image: return "image";
    case coco::Subject::category: return "category";
    case coco::Subject::object: break;
  }
  return file == CheckedKind::results ? "result" : "annotation";
}

/// As `printable`, with backslashes doubled, so that no text can look like an escaped one.
std::string escaped(const std::string& text) {
  std::string doubled;
  for (const char c : text) doubled.append(c == '\\' ? 2 : 1, c);
  return printable(doubled);
}

/// A paragraph of words, no line longer than 100 columns unless a word is.
void append_paragraph(std::string& text, const std::string& indent, std::string_view words) {
  constexpr std::size_t width = 100;
  std::size_t column = 0;
  while (!words.empty()) {
    const std::size_t length = std::min(words.find(' '), words.size());
    if (column > 0 && column + 1 + length > width) {
      text += '\n';
      column = 0;
    }
    text += column == 0 ? indent : " ";
    column += (column == 0 ? indent.size() : 1) + length;
    text += words.substr(0, length);
    words.remove_prefix(std::min(length + 1, words.size()));
  }
  text += '\n';
}

void append_totals(std::string& text, const CheckedFile& file) {
  const coco::CheckTotals& totals = file.report.totals;
  const auto line = [&](const std::string& name, const std::string& value) {
    std::string head = "  " + name;
    head.resize(16, ' ');
    text += head + value + '\n';
  };
  text += kind_name(file.kind) + ": " + printable(file.report.name) + '\n';
  if (file.kind == CheckedKind::images) return line("images", std::to_string(totals.images));
  if (file.kind == CheckedKind::annotations) {
    line("images", std::to_string(totals.images));
    line("categories", std::to_string(totals.categories));
    line("annotations",
         std::to_string(totals.annotations) +
             (totals.crowds > 0 ? ", of which " + plural(totals.crowds, "crowd", "crowds") : std::string()));
  } else {
    line("results", std::to_string(totals.results));
  }
  line("boxes", std::to_string(totals.boxes));
  const std::uint64_t masks = totals.polygons + totals.run_lengths + totals.compressed_runs;
  line("masks", std::to_string(masks) + (masks == 0 ? std::string()
                                                    : ": " + std::to_string(totals.polygons) + " as polygons, " +
                                                          std::to_string(totals.run_lengths) + " as run lengths, " +
                                                          std::to_string(totals.compressed_runs) + " compressed"));
}

void append_finding(std::string& text, const CheckedFile& file, const coco::Finding& finding) {
  const coco::OddityText& about = coco::describe(finding.kind);
  const std::string where = file.kind == CheckedKind::annotations ? std::string() : kind_name(file.kind) + ": ";
  text += '\n' + std::string(coco::to_string(about.severity)) + ": " + where + std::string(about.title) + ": " +
          std::to_string(finding.count) + '\n';
  append_paragraph(text, "  ", about.explanation);
  append_paragraph(text, "  ", "Fix: " + std::string(about.fix));
  for (const coco::FindingExample& example : finding.examples)
    text += "    " +
            (example.id ? subject_name(finding.kind, file.kind) + " " + std::to_string(*example.id) + ": "
                        : std::string()) +
            escaped(example.text) + '\n';
  if (!finding.examples.empty() && finding.count > finding.examples.size())
    text += "    and " + std::to_string(finding.count - finding.examples.size()) + " more\n";
}

std::uint64_t count(const std::vector<CheckedFile>& files, coco::Severity severity) {
  std::uint64_t sum = 0;
  for (const CheckedFile& file : files) sum += file.report.count(severity);
  return sum;
}

void write_finding(io::JsonWriter& json, const CheckedFile& file, const coco::Finding& finding) {
  const coco::OddityText& about = coco::describe(finding.kind);
  json.begin_object().member("kind", about.name).member("severity", coco::to_string(about.severity));
  json.member("title", about.title).member("count", finding.count);
  json.member("explanation", about.explanation).member("fix", about.fix);
  json.key("examples").begin_array();
  for (const coco::FindingExample& example : finding.examples) {
    json.begin_object();
    if (example.id) json.member(subject_name(finding.kind, file.kind), *example.id);
    json.member("text", example.text).end_object();
  }
  json.end_array().end_object();
}

void write_totals(io::JsonWriter& json, const CheckedFile& file) {
  const coco::CheckTotals& totals = file.report.totals;
  json.key("totals").begin_object();
  if (file.kind != CheckedKind::results) json.member("images", totals.images);
  if (file.kind == CheckedKind::annotations)
    json.member("categories", totals.categories)
        .member("annotations", totals.annotations)
        .member("crowds", totals.crowds);
  if (file.kind == CheckedKind::results) json.member("results", totals.results);
  if (file.kind != CheckedKind::images)
    json.member("boxes", totals.boxes)
        .member("polygons", totals.polygons)
        .member("run_lengths", totals.run_lengths)
        .member("compressed_run_lengths", totals.compressed_runs);
  json.end_object();
}

}  // namespace

std::string check_text(const std::vector<CheckedFile>& files) {
  std::string text;
  for (const CheckedFile& file : files) append_totals(text, file);
  const std::uint64_t errors = count(files, coco::Severity::error);
  const std::uint64_t warnings = count(files, coco::Severity::warning);
  const std::uint64_t notes = count(files, coco::Severity::note);
  text += '\n' +
          (errors + warnings + notes == 0
               ? std::string("nothing is odd")
               : plural(errors, "error", "errors") + ", " + plural(warnings, "warning", "warnings") + ", " +
                     plural(notes, "note", "notes")) +
          '\n';
  for (const coco::Severity severity : severities)
    for (const CheckedFile& file : files)
      for (const coco::Finding& finding : file.report.findings)
        if (coco::describe(finding.kind).severity == severity) append_finding(text, file, finding);
  return text;
}

std::string check_json(const std::vector<CheckedFile>& files) {
  io::JsonWriter json(io::JsonWriterOptions{.indent = 1});
  json.begin_object();
  json.member("errors", count(files, coco::Severity::error));
  json.member("warnings", count(files, coco::Severity::warning));
  json.member("notes", count(files, coco::Severity::note));
  for (const CheckedFile& file : files) {
    json.key(kind_name(file.kind)).begin_object().member("name", file.report.name);
    write_totals(json, file);
    json.key("findings").begin_array();
    for (const coco::Finding& finding : file.report.findings) write_finding(json, file, finding);
    json.end_array().end_object();
  }
  json.end_object();
  return json.text() + "\n";
}

}  // namespace mrcnn::cli
