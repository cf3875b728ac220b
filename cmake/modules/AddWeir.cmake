# Functions that declare Weir's targets. Every target gets its include
# directories, warnings and link style here and nowhere else.

include_guard(GLOBAL)

# Settings shared by all C++ targets.
add_library(weir_options INTERFACE)
target_compile_options(weir_options INTERFACE -Wall -Wextra
                       -Wno-unused-parameter)
if(WEIR_WARNINGS_AS_ERRORS)
  target_compile_options(weir_options INTERFACE -Werror)
endif()
if(WEIR_ENABLE_ASSERTIONS)
  target_compile_options(weir_options INTERFACE -UNDEBUG)
endif()
if(WEIR_SANITIZE)
  target_compile_options(weir_options INTERFACE
    -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(weir_options INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()

# Settings of targets that use LLVM and MLIR.
add_library(weir_mlir_options INTERFACE)
target_link_libraries(weir_mlir_options INTERFACE weir_options)
target_include_directories(weir_mlir_options INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/dialects
  ${PROJECT_BINARY_DIR}/include ${PROJECT_BINARY_DIR}/dialects)
target_include_directories(weir_mlir_options SYSTEM INTERFACE
  ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(weir_mlir_options INTERFACE ${LLVM_DEFINITIONS})
target_compile_options(weir_mlir_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)

# Precompiled headers: one for all of them, and one with NVIDIA's dialects, which
# take longest to read, for what writes code of GPUs. A function has a target use
# one of them. Without its own time in it, ccache takes one build's for another's.
if(WEIR_PRECOMPILE_HEADERS)
  target_compile_options(weir_mlir_options INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
  foreach(headers PrecompiledHeaders PrecompiledGPUHeaders)
    file(CONFIGURE OUTPUT ${headers}.cpp CONTENT "")
    add_library(${headers} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${headers}.cpp)
    target_link_libraries(${headers} PRIVATE weir_mlir_options)
    target_precompile_headers(${headers} PRIVATE
      ${PROJECT_SOURCE_DIR}/cmake/modules/${headers}.h)
    add_dependencies(${headers} WeirIRIncGen)
  endforeach()
endif()
function(weir_precompile_headers name headers)
  if(WEIR_PRECOMPILE_HEADERS)
    target_precompile_headers(${name} REUSE_FROM ${headers})
    # Programs too: the header does not serve code of another model.
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
endfunction()

# weir_add_library(NAME source... [LINK_LIBS lib...] [DEPENDS target...] [GPU])
#
# A static library of the compiler, for unit tests to link alone. All of them
# together are the shared library `Weir` (lib/CMakeLists.txt), which is what
# tools link and what is installed. GPU: most of its files use NVIDIA's dialects.
function(weir_add_library name)
  cmake_parse_arguments(ARG "GPU" "" "LINK_LIBS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC weir_mlir_options ${ARG_LINK_LIBS})
  if(ARG_GPU)
    weir_precompile_headers(${name} PrecompiledGPUHeaders)
  else()
    weir_precompile_headers(${name} PrecompiledHeaders)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY WEIR_LIBRARIES ${name})
endfunction()

# weir_add_tool(NAME source...)
#
# An installed program. It links the shared library and none of the static
# ones: a plugin it loads must find one copy of the dialect (ADR 006).
function(weir_add_tool name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE weir_mlir_options Weir)
  weir_precompile_headers(${name} PrecompiledHeaders)
  set_property(GLOBAL APPEND PROPERTY WEIR_TOOLS ${name})
endfunction()

# weir_add_unittest(NAME source... [LINK_LIBS lib...] [MLIR])
#
# A GoogleTest program, built by `WeirUnitTests` and run by lit. With MLIR it
# links the shared libMLIR; without, it may be a test of the runtime alone.
function(weir_add_unittest name)
  cmake_parse_arguments(ARG "MLIR" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS} weir_options
                        GTest::gtest GTest::gtest_main)
  if(ARG_MLIR)
    target_link_libraries(${name} PRIVATE weir_mlir_options)
    weir_precompile_headers(${name} PrecompiledHeaders)
    mlir_target_link_libraries(${name} PRIVATE MLIR)
    target_link_libraries(${name} PRIVATE LLVM)
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/unit)
  set_property(GLOBAL APPEND PROPERTY WEIR_UNITTESTS ${name})
endfunction()
