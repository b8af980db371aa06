# How a folder declares what it holds. Every target of the tree is made by one of the functions here.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

option(RELAIS_SANITIZE "AddressSanitizer, UndefinedBehaviorSanitizer and the checked standard library" OFF)
option(RELAIS_FUZZ "build the fuzz targets (clang)" OFF)

# Without this sloppiness ccache lets alone whatever uses a precompiled header. Paths below the tree are hashed as relative
# ones, so that a second clone is compiled from the cache of the first.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
                    -Wimplicit-fallthrough -Werror)
if(RELAIS_SANITIZE OR RELAIS_FUZZ)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(_GLIBCXX_DEBUG RELAIS_SANITIZED)
  if(RELAIS_FUZZ)
    # Coverage of the libraries too, or the fuzzer is blind.
    add_compile_options(-fsanitize=fuzzer-no-link)
    # clang 14 takes no consteval function in the initializer of a variable template; what must not compile is g++'s to say.
    add_compile_definitions(consteval=constexpr)
  endif()
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2
                      -D_GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
add_compile_options(-fPIE)

find_package(Threads REQUIRED)
if(RELAIS_SANITIZE AND NOT RELAIS_FUZZ)
  # The checked containers are types of their own, so GoogleTest must be built with them (its source comes with
  # libgtest-dev).
  add_subdirectory(/usr/src/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  foreach(library gtest gtest_main gmock gmock_main)
    target_compile_options(${library} PRIVATE -w)
  endforeach()
else()
  find_package(GTest REQUIRED)
endif()
find_library(CDB_LIBRARY NAMES libcdb_pic.a libcdb.a REQUIRED)
find_library(SSL_LIBRARY NAMES libssl.a REQUIRED)
find_library(CRYPTO_LIBRARY NAMES libcrypto.a REQUIRED)

set_property(GLOBAL PROPERTY RELAIS_PROGRAMS "")

# How many times longer than its limit a test may take. The limits are those of an ordinary build; the checked one is two to
# five times slower.
set(RELAIS_PATIENCE 1)
if(RELAIS_SANITIZE)
  set(RELAIS_PATIENCE 4)
endif()

function(relais_test_limit name seconds)
  math(EXPR limit "${seconds} * ${RELAIS_PATIENCE}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${limit})
endfunction()

# Half of a compilation would go into the standard library's headers, and two thirds of a test's into them and
# GoogleTest's, so these are compiled once. A source includes what it uses all the same: the fuzzers' build has no
# precompiled headers and fails where something is missing.
# Tests are compiled without optimisation, which costs more time than it saves; what they test has its usual one.
set(RELAIS_TEST_OPTIONS "$<$<CONFIG:Release>:-O0;-g0;-U_FORTIFY_SOURCE>")
if(NOT RELAIS_FUZZ)
  add_library(precompiled OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
  target_precompile_headers(precompiled PRIVATE <cmake/precompiled.h>)
  add_library(precompiled_for_tests OBJECT ${CMAKE_SOURCE_DIR}/cmake/precompiled.cc)
  target_precompile_headers(precompiled_for_tests PRIVATE
                            <gmock/gmock.h> <gtest/gtest.h> <cmake/precompiled.h>)
  foreach(headers precompiled precompiled_for_tests)
    # Named without the tree's path, for the cache's sake: what a precompiled header was made from is part of each key.
    target_include_directories(${headers} PRIVATE ${CMAKE_SOURCE_DIR})
  endforeach()
  target_compile_options(precompiled_for_tests PRIVATE ${RELAIS_TEST_OPTIONS})
  target_link_libraries(precompiled_for_tests PRIVATE GTest::gtest GTest::gmock)
endif()

function(relais_precompiled name headers)
  if(TARGET ${headers})
    target_precompile_headers(${name} REUSE_FROM ${headers})
  endif()
endfunction()

# relais_public(HEADER...): the headers of a folder that other folders may include. tests/check_layers.py reads them.
function(relais_public)
  foreach(header ${ARGV})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${header})
      message(FATAL_ERROR "relais_public names ${header}, which is not in ${CMAKE_CURRENT_SOURCE_DIR}")
    endif()
  endforeach()
endfunction()

# relais_library(NAME SOURCES a.cc... DEPENDS other...): the library of one folder.
function(relais_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  relais_precompiled(${name} precompiled)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# relais_program(NAME SOURCES main.cc DEPENDS lib... [DYNAMIC] [NOINSTALL] [ROLE])
# Programs are linked statically, so that they start fast and inside a confined process; DYNAMIC is for those that
# need the system's user data base (NSS), PAM or a library that Debian ships only shared. ROLE is for those that begin as
# a role, or hold what others must not see: nobody but their owner can read them (mode 0711), so the kernel lets nobody of
# the same uid trace them, from their first instruction on; also where they are built, for an instance may use them there.
function(relais_program name)
  cmake_parse_arguments(ARG "DYNAMIC;NOINSTALL;ROLE" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  relais_precompiled(${name} precompiled)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  set(permissions OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
  if(ARG_ROLE)
    add_custom_command(TARGET ${name} POST_BUILD COMMAND chmod 0711 $<TARGET_FILE:${name}>)
  else()
    list(APPEND permissions GROUP_READ WORLD_READ)
  endif()
  if(RELAIS_SANITIZE OR RELAIS_FUZZ)
  elseif(ARG_DYNAMIC)
    target_link_options(${name} PRIVATE -pie -static-libstdc++ -static-libgcc)
  else()
    target_link_options(${name} PRIVATE -static-pie)
  endif()
  if(NOT ARG_NOINSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION bin PERMISSIONS ${permissions})
    set_property(GLOBAL APPEND PROPERTY RELAIS_PROGRAMS ${name})
  endif()
endfunction()

# relais_script(NAME): a shell script, scripts/NAME of the folder, that is installed beside the programs and finds
# them there.
function(relais_script name)
  set(copy ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name})
  add_custom_command(OUTPUT ${copy} DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/${name}
                     COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/scripts/${name} ${copy})
  add_custom_target(${name} ALL DEPENDS ${copy})
  install(PROGRAMS scripts/${name} DESTINATION bin)
  set_property(GLOBAL APPEND PROPERTY RELAIS_PROGRAMS ${name})
endfunction()

# relais_test(NAME SOURCES x_test.cc... DEPENDS lib...): unit tests with GoogleTest, run by CTest.
# An ordinary build compiles the sources of one program together: most of a test's time goes into what GoogleTest's and
# the standard headers instantiate at its end. So names beside the tests differ within a folder. The checked build,
# the fuzzers' and clang-tidy's compile each source alone, which must be possible too.
function(relais_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  relais_precompiled(${name} precompiled_for_tests)
  target_compile_options(${name} PRIVATE ${RELAIS_TEST_OPTIONS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND NOT RELAIS_SANITIZE AND NOT RELAIS_FUZZ)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
    target_compile_options(${name} PRIVATE -Wno-subobject-linkage)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  relais_test_limit(${name} 1000)
endfunction()

# relais_seam_test(NAME SOURCES x_test.cc... UNDER_TEST dir/y.cc... DEPENDS lib...): unit tests for which the sources
# under test are compiled anew with tests/seam/base/sys.h in place of base/sys.h: power cuts and failing calls.
function(relais_seam_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;UNDER_TEST;DEPENDS" ${ARGN})
  list(TRANSFORM ARG_UNDER_TEST PREPEND ${CMAKE_SOURCE_DIR}/)
  relais_test(${name} SOURCES ${ARG_SOURCES} ${ARG_UNDER_TEST} ${CMAKE_SOURCE_DIR}/tests/seam/recorder.cc
              DEPENDS ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_include_directories(${name} BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/tests/seam)
endfunction()

# All of them, and nothing else.
if(RELAIS_FUZZ)
  add_custom_target(fuzzers)
endif()

# relais_fuzz(NAME SOURCE x_fuzz.cc DEPENDS lib...): a libFuzzer target whose corpus is fuzz/NAME/. With clang and
# RELAIS_FUZZ it is a fuzzer; otherwise the same function is run over the corpus as an ordinary test.
function(relais_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE" "DEPENDS" ${ARGN})
  if(RELAIS_FUZZ)
    add_executable(${name} ${ARG_SOURCE})
    add_dependencies(fuzzers ${name})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    if(NOT TARGET fuzz_replay)
      relais_library(fuzz_replay SOURCES ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
    endif()
    add_executable(${name} ${ARG_SOURCE})
    relais_precompiled(${name} precompiled)
    target_link_libraries(${name} PRIVATE fuzz_replay)
    add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/${name})
    relais_test_limit(${name} 600)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
endfunction()

# relais_instance_test(NAME FILE x.py): a test of whole programs, tests/x.py, with python3's unittest. What it waits for has limits of its
# own; this one is for what escapes them, and three times what the longest took on a machine with fifteen times more to do than it can.
function(relais_instance_test name)
  cmake_parse_arguments(ARG "" "FILE" "" ${ARGN})
  add_test(NAME ${name} COMMAND python3 -B ${CMAKE_SOURCE_DIR}/tests/${ARG_FILE}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests)
  relais_test_limit(${name} 1500)
  set_tests_properties(${name} PROPERTIES
                       ENVIRONMENT "RELAIS_BIN=${CMAKE_BINARY_DIR}/bin;PYTHONDONTWRITEBYTECODE=1")
endfunction()
