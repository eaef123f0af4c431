#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "mrcnn/version.hpp"

namespace {

using mrcnn::cli::UsageError;

constexpr const char* help_text =
    R"(mrcnn: finds the objects in pictures, with a box, a class and a mask for each (Mask R-CNN).

usage: mrcnn COMMAND ...
  mrcnn detect IMAGE... --weights FILE   detect, write pictures and COCO records
  mrcnn evaluate --annotations FILE ...  COCO's numbers of detections or of a network
  mrcnn convert IN.h5 OUT.safetensors    weights of Keras into the native format
  mrcnn inspect FILE                     what a file of weights or tensors holds
  mrcnn coco check FILE                  what is odd about annotations, results and pictures
  mrcnn COMMAND --help                   all options of a command, with examples
  mrcnn --version

A first picture, with the weights that matterport published (mask_rcnn_coco.h5, COCO's 80 classes):
  mrcnn detect photo.jpg --weights mask_rcnn_coco.h5 --output found.png

Exit status: 0 when all went well, 1 when a file is missing, damaged or does not fit, 2 when the command line is wrong.
)";

struct Command {
  const char* name;
  int (*run)(const std::vector<std::string>&);
};
constexpr std::array commands{
    Command{"detect", mrcnn::cli::detect},     Command{"evaluate", mrcnn::cli::evaluate},
    Command{"convert", mrcnn::cli::convert},   Command{"inspect", mrcnn::cli::inspect},
    Command{"coco", mrcnn::cli::coco_command},
};

/// "detect, evaluate or convert".
std::string command_names() {
  std::string names;
  for (std::size_t i = 0; i < commands.size(); ++i)
    names += (i == 0 ? "" : i + 1 < commands.size() ? ", " : " or ") + std::string(commands[i].name);
  return names;
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) throw UsageError("no command, expected " + command_names() + "; mrcnn --help tells more");
  const std::string& name = words[0];
  if (name == "--help" || name == "-h" || name == "help") {
    std::fputs(help_text, stdout);
    return 0;
  }
  if (name == "--version") {
    std::printf("mrcnn %s\n", MRCNN_VERSION);
    return 0;
  }
  std::vector<std::string> known;
  for (const Command& command : commands) {
    if (name == command.name) return command.run({words.begin() + 1, words.end()});
    known.emplace_back(command.name);
  }
  throw UsageError("unknown command '" + name + "', expected " + command_names() +
                   mrcnn::io::detail::did_you_mean(name, known) + "; mrcnn --help tells more");
}

/// One line on the error stream, whatever a file name or a message holds.
int report(std::string text, int status) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  std::fflush(stdout);
  std::fprintf(stderr, "mrcnn: %s\n", text.c_str());
  return status;
}

/// Makes the standard streams exist: else the first file that is opened becomes one, and gets what is printed.
void occupy_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream)
    if (::fcntl(stream, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));  // writing to it fails
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  mrcnn::cli::watch_interrupts();
  int status = 0;
  try {
    status = run({argv + std::min(argc, 1), argv + argc});
  } catch (const UsageError& error) {
    return report(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return report("out of memory: use smaller pictures, a smaller image_max_dim or fewer detections", 1);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return report("the standard output can not be written", 1);
  return status;
}
