#!/usr/bin/env bash
# Installs NVIDIA's compiler from PyPI's wheels into a cache folder, for machines without CUDA's toolkit; no GPU and
# no driver are needed to compile. Prints the folder that CUDA_HOME is to name, and nothing else, on stdout.
#
#   scripts/install_cuda.sh              nvcc and its headers: what `cargo xtask check --cuda` needs
#   scripts/install_cuda.sh --libraries  cuBLAS, cuRAND, NVRTC and cuDNN as well, for programs that link them
#
# The folder is $XDG_CACHE_HOME/autogan/cuda, or ~/.cache/autogan/cuda. A second call does nothing.
set -euo pipefail

version='13.0.*'
compiler=("nvidia-cuda-nvcc==$version" "nvidia-cuda-crt==$version" "nvidia-nvvm==$version"
    "nvidia-cuda-cccl==$version" "nvidia-cuda-runtime==$version")
libraries=("nvidia-cublas==$version" "nvidia-cuda-nvrtc==$version" nvidia-curand nvidia-cudnn-cu13)

wanted=compiler
packages=("${compiler[@]}")
case ${1-} in
'') ;;
--libraries)
    wanted=libraries
    packages+=("${libraries[@]}")
    ;;
*)
    echo "usage: $0 [--libraries]" >&2
    exit 2
    ;;
esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/autogan/cuda
mark=$cache/$wanted-${version%.*}.done
if [[ ! -f $mark ]]; then
    echo "installing NVIDIA's $wanted $version into $cache" >&2
    mkdir -p "$cache"
    [[ -x $cache/venv/bin/python ]] || python3 -m venv "$cache/venv" >&2
    "$cache/venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2
fi
home=$("$cache/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13
if [[ ! -x $home/bin/nvcc ]]; then
    echo "expected nvcc at $home/bin/nvcc, found none; remove $cache and try again" >&2
    exit 1
fi
touch "$mark"
echo "$home"
