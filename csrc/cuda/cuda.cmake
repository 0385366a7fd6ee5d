# The GPU twin: the module _cuda, from csrc/cuda.

# DEVELOPMENT
file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/csrc/cuda/*.cu)
if(DLBD_CUDA_SOURCES)
  set(cuda_sources)
  foreach(f IN LISTS DLBD_CUDA_SOURCES)
    list(APPEND cuda_sources ${CMAKE_SOURCE_DIR}/csrc/cuda/${f}.cu)
  endforeach()
endif()

if(DLBD_CUDA_EMULATION)
  set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;-Wno-unknown-pragmas")
  add_library(dlbd_cuda_kernels OBJECT ${cuda_sources} tests/cuda_emulation/emulator.cpp)
  target_include_directories(dlbd_cuda_kernels PUBLIC tests/cuda_emulation/include)
  target_compile_definitions(dlbd_cuda_kernels PUBLIC DLBD_CUDA_EMULATION PRIVATE DLBD_ISA=cuda)
  target_compile_options(dlbd_cuda_kernels PRIVATE -O1)
  target_link_libraries(dlbd_cuda_kernels PRIVATE dlbd_flags)
  set(cuda_description "host emulation")
endif()

if(NOT TARGET dlbd_cuda_kernels)
  return()
endif()

pybind11_add_module(_cuda NO_EXTRAS csrc/bindings/cuda_module.cpp csrc/bindings/cuda_backend.cpp csrc/bindings/launching.cpp
                    $<TARGET_OBJECTS:dlbd_cuda_kernels> $<TARGET_OBJECTS:dlbd_shapes>)
target_include_directories(_cuda PRIVATE $<TARGET_PROPERTY:dlbd_cuda_kernels,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(_cuda PRIVATE DLBD_CUDA_BUILD_DESCRIPTION="${cuda_description}"
                           $<TARGET_PROPERTY:dlbd_cuda_kernels,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(_cuda PRIVATE dlbd_flags)
install(TARGETS _cuda LIBRARY DESTINATION dlbd)
