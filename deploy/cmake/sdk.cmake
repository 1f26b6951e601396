# Where third-party code comes from. deploy/bootstrap puts LibTorch and Arrow (unpacked PyPI wheels)
# into one prefix; everything else is a Debian package.
if(DEFINED ENV{COXSWAIN_SDK})
  set(_sdk_default $ENV{COXSWAIN_SDK})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(_sdk_default $ENV{XDG_CACHE_HOME}/coxswain/sdk)
else()
  set(_sdk_default $ENV{HOME}/.cache/coxswain/sdk)
endif()
set(COXSWAIN_SDK ${_sdk_default} CACHE PATH "Prefix made by deploy/bootstrap")
set(COXSWAIN_TORCH ${COXSWAIN_SDK}/torch-2.11.0)
string(REGEX REPLACE ".*/torch-" "" COXSWAIN_TORCH_VERSION ${COXSWAIN_TORCH})
set(COXSWAIN_ARROW ${COXSWAIN_SDK}/arrow-26.0.1)
foreach(_dir ${COXSWAIN_TORCH} ${COXSWAIN_ARROW})
  if(NOT EXISTS ${_dir}/include)
    message(FATAL_ERROR "${_dir} is missing: run deploy/bootstrap first (or set COXSWAIN_SDK)")
  endif()
endforeach()

find_package(Protobuf REQUIRED)
find_package(gRPC REQUIRED)
find_package(absl REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(LibArchive REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
if(COXSWAIN_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# What every program links before all else; see the file. Only in a build with the thread sanitizer.
set(COXSWAIN_LINK_FIRST)
if(COXSWAIN_SANITIZE MATCHES thread)
  add_library(coxswain_tsan_grpc SHARED ${CMAKE_SOURCE_DIR}/deploy/cmake/tsan_grpc.cc)
  target_link_libraries(coxswain_tsan_grpc PRIVATE absl::synchronization gRPC::grpc++)
  set(COXSWAIN_LINK_FIRST coxswain_tsan_grpc)
endif()

# The CUDA runtime that LibTorch's CPU library needs: a toolkit's, or the unpacked wheels'. The same
# places in deploy/bootstrap.
if(DEFINED ENV{COXSWAIN_CUDA_ROOT})
  set(_cuda_default $ENV{COXSWAIN_CUDA_ROOT})
else()
  set(_cuda_default /usr/local/cuda)
endif()
set(COXSWAIN_CUDA_ROOT ${_cuda_default} CACHE PATH "Where a CUDA 13 toolkit may be")
set(_cuda_places ${COXSWAIN_SDK}/nvidia/cu13/lib ${COXSWAIN_CUDA_ROOT}/lib64
  ${COXSWAIN_CUDA_ROOT}/extras/CUPTI/lib64)
find_path(COXSWAIN_CUDA_LIB libcudart.so.13 PATHS ${_cuda_places} NO_DEFAULT_PATH)
find_path(COXSWAIN_CUPTI_LIB libcupti.so.13 PATHS ${_cuda_places} NO_DEFAULT_PATH)
if(NOT COXSWAIN_CUDA_LIB OR NOT COXSWAIN_CUPTI_LIB)
  message(FATAL_ERROR "libcudart.so.13 or libcupti.so.13 not found: run deploy/bootstrap first")
endif()

# LibTorch, CPU side. Linked by src/trainer/engine alone. System includes: its warnings are not ours.
add_library(coxswain_torch INTERFACE)
target_include_directories(coxswain_torch SYSTEM INTERFACE ${COXSWAIN_TORCH}/include
  ${COXSWAIN_TORCH}/include/torch/csrc/api/include)
target_compile_definitions(coxswain_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
target_link_options(coxswain_torch INTERFACE -Wl,--no-as-needed -Wl,--disable-new-dtags
  -Wl,-rpath,${COXSWAIN_TORCH}/lib -Wl,-rpath,${COXSWAIN_CUDA_LIB} -Wl,-rpath,${COXSWAIN_CUPTI_LIB}
  -Wl,-rpath-link,${COXSWAIN_CUDA_LIB} -Wl,-rpath-link,${COXSWAIN_CUPTI_LIB})
target_link_libraries(coxswain_torch INTERFACE ${COXSWAIN_TORCH}/lib/libtorch_cpu.so
  ${COXSWAIN_TORCH}/lib/libc10.so)

# Arrow with S3. Linked by src/trainer/blob_s3 alone.
add_library(coxswain_arrow INTERFACE)
target_include_directories(coxswain_arrow SYSTEM INTERFACE ${COXSWAIN_ARROW}/include)
target_link_options(coxswain_arrow INTERFACE -Wl,-rpath,${COXSWAIN_ARROW}/lib)
target_link_libraries(coxswain_arrow INTERFACE ${COXSWAIN_ARROW}/lib/libarrow.so
  ${COXSWAIN_ARROW}/lib/libarrow_s3.so)

# Arrow with Parquet and CSV. Linked by src/trainer/table alone.
add_library(coxswain_arrow_tables INTERFACE)
target_include_directories(coxswain_arrow_tables SYSTEM INTERFACE ${COXSWAIN_ARROW}/include)
target_link_options(coxswain_arrow_tables INTERFACE -Wl,-rpath,${COXSWAIN_ARROW}/lib)
target_link_libraries(coxswain_arrow_tables INTERFACE ${COXSWAIN_ARROW}/lib/libparquet.so
  ${COXSWAIN_ARROW}/lib/libarrow.so)
