// The entry point of every test executable. Built twice: with MRCNN_TEST_NEEDS_SHARED for the tests that compare with
// the reference tensors, which are skipped (exit status 77) where the shared folder is absent.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#if defined(MRCNN_TEST_NEEDS_SHARED)
#include <cstdio>

#include "tests/support/shared.hpp"
#endif

int main(int argc, char** argv) {
#if defined(MRCNN_TEST_NEEDS_SHARED)
  if (!mrcnn::test::shared_available()) {
    const std::string folder = mrcnn::test::shared_root().string();
    if (mrcnn::test::shared_required()) {
      std::fprintf(stderr, "failed: MRCNN_REQUIRE_SHARED is set, but %s holds no reference tensors; set MRCNN_SHARED\n",
                   folder.c_str());
      return 1;
    }
    std::printf("skipped: no reference tensors in %s; set MRCNN_SHARED to the folder that has them\n", folder.c_str());
    return 77;
  }
#endif
  doctest::Context context(argc, argv);
  return context.run();
}
