# The compiler's side of the build: language, warnings, sanitizers, compiler cache, linker.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET default)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
option(COXSWAIN_TESTS "Build the tests" ON)
set(COXSWAIN_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (empty: none)")

add_compile_options(-Wall -Wextra -Werror -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(COXSWAIN_SANITIZE)
  add_compile_options(-fsanitize=${COXSWAIN_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${COXSWAIN_SANITIZE})
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")  # whole stacks, and a third less to compile
  if(COXSWAIN_SANITIZE MATCHES thread)
    # Debian's libraries are built without it. By this macro, headers of theirs (protobuf's
    # map_field.h) add members that the library does not know of; libstdc++ needs its own.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  endif()
endif()

find_program(COXSWAIN_CCACHE ccache)
if(COXSWAIN_CCACHE)
  # One cache for every clone of the project: paths below the source folder are made relative.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${COXSWAIN_CCACHE})
endif()
find_program(COXSWAIN_MOLD mold)
if(COXSWAIN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# By hand: cmake --preset dev -DCOXSWAIN_CLANG_TIDY=ON runs clang-tidy (.clang-tidy) on what is compiled.
option(COXSWAIN_CLANG_TIDY "Run clang-tidy while compiling" OFF)
if(COXSWAIN_CLANG_TIDY)
  find_program(COXSWAIN_CLANG_TIDY_PROGRAM NAMES clang-tidy-14 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${COXSWAIN_CLANG_TIDY_PROGRAM} --quiet)
endif()
