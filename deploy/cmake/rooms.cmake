# A room is one folder and one library target; its sources are globbed, main.cc and the folders below
# that are rooms of their own (have a CMakeLists.txt) excepted.

# cox_room(<target> [PUBLIC lib...] [PRIVATE lib...]): the room in the current folder. A room of
# headers only becomes an INTERFACE library.
function(cox_room target)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  file(GLOB nested RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(room ${nested})
    get_filename_component(folder ${room} DIRECTORY)
    list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/${folder}/")
  endforeach()
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_PUBLIC})
  endif()
endfunction()

# All that is installed but documents and configurations: what deploy/bundle brings up to date.
add_custom_target(programs)

# cox_module(<target> <folder>): installs a module, which is built in this folder of the build folder.
function(cox_module target folder)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
  add_dependencies(programs ${target})
  install(TARGETS ${target} LIBRARY DESTINATION lib)
endfunction()

# cox_program(<binary> <source> lib...): a program made of rooms.
function(cox_program binary source)
  add_executable(${binary} ${source})
  target_include_directories(${binary} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${binary} PRIVATE ${COXSWAIN_LINK_FIRST} ${ARGN})
  add_dependencies(programs ${binary})
  install(TARGETS ${binary} RUNTIME DESTINATION bin)
endfunction()

# cox_unit_test(<target> lib...): every *_test.cc of the current folder as one GoogleTest program;
# its tests are labelled with the folder's first name under tests/ (unit, scenario, ...).
function(cox_unit_test target)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${COXSWAIN_LINK_FIRST} ${ARGN} GTest::gmock GTest::gtest
    GTest::gtest_main)
  file(RELATIVE_PATH label ${CMAKE_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR})
  string(REGEX REPLACE "/.*" "" label ${label})
  # Unit tests sync small files all the time: in memory that costs nothing, whatever the disk does.
  if(label STREQUAL "unit" AND IS_DIRECTORY /dev/shm)
    set(in_memory ENVIRONMENT TMPDIR=/dev/shm)
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${label} TIMEOUT 120 ${in_memory})
endfunction()

# LibTorch's headers cost 12 s and about 2.5 GB of memory per file that includes them.
#
# cox_torch_pch(<target> header...): precompiles these headers for the target, e.g.
#   cox_torch_pch(coxswain_trainer_engine <ATen/ATen.h> torch_pch.h)   (torch_pch.h: in this folder)
# cox_torch_pch(<target> REUSE <other>): uses the precompiled headers of another target; compile
# definitions and options must be the same. An executable is compiled as the libraries are (-fPIC).
# Either way no more of these files are compiled at once than memory allows.
function(cox_torch_pch target)
  cmake_parse_arguments(ARG "" "REUSE" "" ${ARGN})
  cmake_host_system_information(RESULT memory_mb QUERY TOTAL_PHYSICAL_MEMORY)
  math(EXPR at_once "${memory_mb} / 3000 + 1")
  set_property(GLOBAL PROPERTY JOB_POOLS torch=${at_once})
  set_property(TARGET ${target} PROPERTY JOB_POOL_COMPILE torch)
  set_property(TARGET ${target} PROPERTY JOB_POOL_PRECOMPILE_HEADER torch)
  if(ARG_REUSE)
    set_property(TARGET ${target} PROPERTY POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
    target_precompile_headers(${target} REUSE_FROM ${ARG_REUSE})
  else()
    # A header of ours by its name from src/, not by a path: other worktrees then share the cache.
    file(RELATIVE_PATH here ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
    list(TRANSFORM ARG_UNPARSED_ARGUMENTS REPLACE "^([^<].*)$" "<${here}/\\1>")
    target_precompile_headers(${target} PRIVATE ${ARG_UNPARSED_ARGUMENTS})
  endif()
  # What ccache asks for, to keep what uses a precompiled header; see also CCACHE_SLOPPINESS.
  target_compile_options(${target} PRIVATE -fpch-preprocess)
endfunction()
