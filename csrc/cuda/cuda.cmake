# The GPU twin: the module _cuda from csrc/cuda, by nvcc, or by the C++ compiler for the host emulation.

set(cuda_sources
    attention
    attention_backward
    attention_tensor
    attention_tensor_backward
    batch_norm
    batch_norm_backward
    binary
    conv
    conv_backward_data
    conv_backward_weights
    conv_depthwise
    conv_generic
    copy
    device
    dropout
    elementwise
    embedding
    epilogue
    gather
    gemm
    gemm_mma
    gemm_prepare
    gemm_simt
    gemm_split
    image
    layer_norm
    losses
    measure
    metrics
    optimizer
    pool
    random
    reduce
    reduce_backward
    rnn
    rnn_backward
    rnn_rows
    rnn_steps
    rnn_team
    scan
    softmax
    sort
    unary)
list(TRANSFORM cuda_sources PREPEND ${CMAKE_SOURCE_DIR}/csrc/cuda/)
list(TRANSFORM cuda_sources APPEND .cu)

# Sets CMAKE_CUDA_COMPILER, or leaves it unset: an nvcc that the user names, the machine's, or that of PyPI's packages
# (extra `cuda-build`), whose libraries lie where nvcc does not look.
macro(dlbd_find_nvcc)
  if(NOT CMAKE_CUDA_COMPILER AND DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER $ENV{CUDACXX})
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    find_package(CUDAToolkit QUIET) # an nvcc without its headers and libraries is none
    if(CUDAToolkit_FOUND AND CUDAToolkit_NVCC_EXECUTABLE)
      set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
    else()
      execute_process(COMMAND ${Python_EXECUTABLE} -c "import nvidia.cu13 as m; print(list(m.__path__)[0])"
                      OUTPUT_VARIABLE pypi_cuda OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      if(pypi_cuda AND EXISTS ${pypi_cuda}/bin/nvcc)
        set(CMAKE_CUDA_COMPILER ${pypi_cuda}/bin/nvcc)
      endif()
    endif()
  endif()
  if(CMAKE_CUDA_COMPILER)
    get_filename_component(cuda_root ${CMAKE_CUDA_COMPILER} DIRECTORY)
    get_filename_component(cuda_root ${cuda_root} DIRECTORY)
    if(EXISTS ${cuda_root}/lib/libcudart_static.a)
      set(ENV{NVCC_PREPEND_FLAGS} "-L${cuda_root}/lib") # for CMake's trial program
    endif()
  endif()
endmacro()

if(DLBD_CUDA_EMULATION)
  set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;-Wno-unknown-pragmas")
  add_library(dlbd_cuda_kernels OBJECT ${cuda_sources} tests/cuda_emulation/emulator.cpp)
  target_include_directories(dlbd_cuda_kernels PUBLIC tests/cuda_emulation/include)
  target_compile_definitions(dlbd_cuda_kernels PUBLIC DLBD_CUDA_EMULATION)
  target_compile_options(dlbd_cuda_kernels PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
  target_link_libraries(dlbd_cuda_kernels PRIVATE dlbd_flags)
  set(cuda_description "host emulation")
  set(cuda_architectures 75)
  # beside the modules, the package's Python files: a folder to put on PYTHONPATH
  file(GLOB package_files ${CMAKE_SOURCE_DIR}/python/dlbd/*)
  list(FILTER package_files EXCLUDE REGEX "[.]so$")
  foreach(f IN LISTS package_files)
    get_filename_component(name ${f} NAME)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/site/dlbd)
    file(CREATE_LINK ${f} ${CMAKE_BINARY_DIR}/site/dlbd/${name} SYMBOLIC)
  endforeach()
elseif(NOT DLBD_CUDA STREQUAL "OFF")
  if(DLBD_CUDA STREQUAL "AUTO" AND NOT EXISTS /dev/nvidia0)
    set(cuda_missing "this machine has no GPU")
  else()
    dlbd_find_nvcc()
    if(NOT CMAKE_CUDA_COMPILER)
      set(cuda_missing "no nvcc was found (CUDACXX, PATH, or PyPI's nvidia-cuda-nvcc)")
    endif()
  endif()
  if(cuda_missing AND DLBD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DLBD_CUDA=ON, but ${cuda_missing}")
  endif()
  if(NOT cuda_missing)
    if(NOT DLBD_CUDA_ARCHITECTURES)
      if(EXISTS /dev/nvidia0)
        set(DLBD_CUDA_ARCHITECTURES native)
      else()
        set(DLBD_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90 120)
      endif()
    endif()
    set(CMAKE_CUDA_ARCHITECTURES ${DLBD_CUDA_ARCHITECTURES})
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    enable_language(CUDA)
    add_library(dlbd_cuda_kernels OBJECT ${cuda_sources})
    target_include_directories(dlbd_cuda_kernels PUBLIC ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
    set(cuda_standard 20)
    if(NOT "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES) # CMake 3.25 does not know that nvcc takes C++20
      set(cuda_standard 17)
      set(CMAKE_CUDA17_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA17_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set_property(TARGET dlbd_cuda_kernels PROPERTY CUDA_STANDARD ${cuda_standard})
    target_compile_options(dlbd_cuda_kernels PRIVATE -Xcompiler=-Wall -Xfatbin=-compress-all $<$<BOOL:${DLBD_CUDA_REPORT}>:-Xptxas=-v>)
    find_library(cudart_static cudart_static PATHS ${cuda_root}/lib ${cuda_root}/lib64 ${cuda_root}/targets/x86_64-linux/lib REQUIRED)
    string(REPLACE "native" "${CMAKE_CUDA_ARCHITECTURES_NATIVE}" cuda_architectures "${DLBD_CUDA_ARCHITECTURES}")
    list(JOIN cuda_architectures "," cuda_architectures)
    set(cuda_description "CUDA ${CMAKE_CUDA_COMPILER_VERSION}, ${cuda_architectures}")
  endif()
endif()

if(NOT TARGET dlbd_cuda_kernels)
  if(NOT cuda_missing)
    set(cuda_missing "DLBD_CUDA=OFF")
  endif()
  message(STATUS "dlbd: without the GPU module: ${cuda_missing}")
  return()
endif()
message(STATUS "dlbd: with the GPU module: ${cuda_description}")
target_compile_definitions(dlbd_cuda_kernels PRIVATE DLBD_ISA=cuda)

pybind11_add_module(_cuda NO_EXTRAS csrc/bindings/cuda_module.cpp csrc/bindings/cuda_backend.cpp csrc/bindings/launching.cpp
                    $<TARGET_OBJECTS:dlbd_cuda_kernels> $<TARGET_OBJECTS:dlbd_shapes>)
set_target_properties(_cuda PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(_cuda SYSTEM PRIVATE $<TARGET_PROPERTY:dlbd_cuda_kernels,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(_cuda PRIVATE DLBD_CUDA_BUILD_DESCRIPTION="${cuda_description}"
                           DLBD_CUDA_ARCHITECTURES="${cuda_architectures}"
                           $<TARGET_PROPERTY:dlbd_cuda_kernels,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(_cuda PRIVATE dlbd_flags)
if(cudart_static)
  find_package(Threads REQUIRED)
  target_link_libraries(_cuda PRIVATE ${cudart_static} Threads::Threads ${CMAKE_DL_LIBS} rt)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_link_options(_cuda PRIVATE -Wl,--strip-debug -Wl,--gc-sections -Wl,--exclude-libs,ALL)
endif()
install(TARGETS _cuda LIBRARY DESTINATION dlbd)
