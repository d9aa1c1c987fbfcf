# An interface target that our own targets link: warnings as errors, and the sanitizers if asked for.
# Generated code (protobuf) does not link it.
add_library(pgtrickle_options INTERFACE)
target_compile_options(pgtrickle_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False positives of GCC 12 in std::string concatenation (GCC PR 105651 and its kin).
  target_compile_options(pgtrickle_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
                         -Wno-maybe-uninitialized)
endif()
target_include_directories(pgtrickle_options INTERFACE ${CMAKE_SOURCE_DIR}/daemon)

# Sanitizers apply to everything, also the generated code: mixing would hide container overflows.
if(PGTRICKLE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# pgtrickle_library(name SOURCES... [LINK ...]): a static library of one folder, compiled with our options.
function(pgtrickle_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PRIVATE pgtrickle_options PUBLIC ${ARG_LINK})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/daemon)
endfunction()
