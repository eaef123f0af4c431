# Snippets that must not compile, with an error that says why in our words. Each holds the mistake under
# `#if !defined(MRCNN_CORRECT)` and the right way in the other branch, which must compile.
include_guard(GLOBAL)

function(mrcnn_add_must_not_compile name text)
  set(source "${PROJECT_SOURCE_DIR}/tests/compile_fail/${name}.cpp")
  set(command ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only "-I${PROJECT_SOURCE_DIR}/include" "${source}")
  add_test(NAME compile_fail.${name} COMMAND ${command})
  set_tests_properties(compile_fail.${name} PROPERTIES LABELS host PASS_REGULAR_EXPRESSION "error: [^\n]*${text}")
  add_test(NAME compile_fail.${name}.correct COMMAND ${command} -DMRCNN_CORRECT)
  set_tests_properties(compile_fail.${name}.correct PROPERTIES LABELS host)
endfunction()
