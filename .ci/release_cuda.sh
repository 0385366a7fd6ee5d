#!/usr/bin/env bash
# Build the wheel with the GPU module for every supported GPU, by PyPI's nvcc: `.ci/release_cuda.sh [pip wheel's options]`.
# Needs a C++20 compiler, Python with venv, and PyPI; no GPU, no CUDA installation. The wheel lands in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."

# Machine code for each generation since Turing; PTX of 90 for 10.x, and of the newest for what comes later. Sources of csrc/cuda/hopper
# are built for 90a by csrc/cuda/cuda.cmake, whatever stands here.
architectures="75-real;80-real;86-real;89-real;90;120"
cuda=13.0 # PTX of a newer minor does not load on the drivers of CUDA 13.0

venv=build/cuda-release
if [ ! -x $venv/bin/python ]; then
  python3 -m venv $venv
fi
$venv/bin/pip install -q --disable-pip-version-check \
  numpy 'scikit-build-core>=0.10' 'pybind11>=3.0' cmake ninja \
  "nvidia-cuda-nvcc==$cuda.*" "nvidia-nvvm==$cuda.*" "nvidia-cuda-crt==$cuda.*" "nvidia-cuda-runtime==$cuda.*" \
  "nvidia-cuda-cccl==$cuda.*" nvidia-cuda-cuobjdump
toolkit=$($venv/bin/python -c "import nvidia.cu13 as m; print(list(m.__path__)[0])")

rm -rf build/cuda-wheel && mkdir -p build/cuda-wheel dist
PATH="$PWD/$venv/bin:$PATH" CUDACXX="$toolkit/bin/nvcc" NVCC_PREPEND_FLAGS="-L$toolkit/lib" \
  $venv/bin/pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w build/cuda-wheel \
  -C cmake.define.DLBD_CUDA=ON -C "cmake.define.DLBD_CUDA_ARCHITECTURES=$architectures" \
  -C build-dir=build/cuda-release-objects "$@" .
wheel=$(echo build/cuda-wheel/*.whl)

# The module holds code for all of them, and imports where there is no driver.
rm -rf build/cuda-wheel/site
$venv/bin/pip install -q --disable-pip-version-check --no-deps --target build/cuda-wheel/site "$wheel"
module=$(echo build/cuda-wheel/site/dlbd/_cuda.*.so)
holds=$("$toolkit/bin/cuobjdump" --list-elf --list-ptx "$module")
for architecture in ${architectures//;/ }; do
  name=sm_${architecture%-real}
  grep -q "\.$name\." <<<"$holds" || { echo "the wheel has no code for $name"; exit 1; }
done
grep -q 'sm_120.*\.ptx' <<<"$holds" || { echo "the wheel has no PTX for later GPUs"; exit 1; }
if readelf -d "$module" | grep -E 'NEEDED.*lib(cuda|cudart)'; then
  echo "the module must need no CUDA library to be imported"
  exit 1
fi
PYTHONPATH=build/cuda-wheel/site $venv/bin/python -c "from dlbd import _cuda; print(_cuda.build)"
cp "$wheel" dist/
ls -l dist/"$(basename "$wheel")"
