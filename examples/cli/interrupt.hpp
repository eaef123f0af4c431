#ifndef MRCNN_EXAMPLES_CLI_INTERRUPT_HPP
#define MRCNN_EXAMPLES_CLI_INTERRUPT_HPP

namespace mrcnn::cli {

/// From now on SIGINT, SIGTERM and SIGHUP remove the unfinished files of every `Outputs` before they end the program.
/// Call it first in main: threads that start later inherit what it sets.
void watch_interrupts();

}  // namespace mrcnn::cli

#endif
