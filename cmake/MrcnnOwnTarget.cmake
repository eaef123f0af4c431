# What our own executables are compiled with. None of it reaches a user of the library.
function(mrcnn_own_target target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(MRCNN_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(MRCNN_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${MRCNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${MRCNN_SANITIZE})
  endif()
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
