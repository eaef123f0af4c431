#ifndef MRCNN_DETAIL_HOST_MEMORY_HPP
#define MRCNN_DETAIL_HOST_MEMORY_HPP

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/workspace.hpp"

namespace mrcnn::detail {

/// Uninitialised memory of the host, aligned to 256 bytes; large blocks on huge pages. std::free releases it.
/// Throws: Error, naming `owner`, when there is none.
inline void* allocate_on_host(const char* owner, std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  const bool huge = bytes >= 2 * huge_page;
  const std::size_t alignment = huge ? huge_page : Arena::alignment;
  // Not a byte more than asked for where it is not for huge pages, so that sanitizers see the first one behind.
  const std::size_t size = huge ? round_up(bytes, huge_page) : std::max<std::size_t>(bytes, 1);
  void* memory = nullptr;
  if (::posix_memalign(&memory, alignment, size) != 0)
    throw Error(std::string(owner) + ": out of memory: can not allocate " + std::to_string(bytes) + " bytes");
#if defined(__linux__)
  if (huge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace mrcnn::detail

#endif
