#!/bin/sh
# llamacpp.sh [VENV [FOLDER]] - build llama.cpp from the source package of llama-cpp-python on PyPI, for this machine's CPU,
# and install it, with the package and gguf, into a Python environment (default build/venv, made if missing; FOLDER, default build/llamacpp, holds
# sources and objects). What compares sonde with llama.cpp needs it: `import llama_cpp`, and the libraries in llama_cpp/lib.
# Done already: says so and does nothing. Needs python3 with venv, cmake, a C++ compiler, 200 MB and the network; takes
# minutes. SONDE_JOBS: compilers at a time (2).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${1:-$root/build/venv}
folder=${2:-$root/build/llamacpp}
version=0.3.36
jobs=${SONDE_JOBS:-2}

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "llamacpp.sh: python3 has no venv, expected it (Debian: apt-get install python3-venv)" >&2
    exit 4
fi
mkdir -p "$folder" "$(dirname "$venv")"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
pip() { "$venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
# The folder of the installed libraries; fails if they, or this version of the package, are not there or do not load.
installed() {
    (cd / && "$venv/bin/python" -c "import gguf, llama_cpp, os, safetensors
assert llama_cpp.__version__ == '$version'
print(os.path.join(os.path.dirname(llama_cpp.__file__), 'lib'))") 2>/dev/null
}
if lib=$(installed); then
    echo "llama-cpp-python $version: $lib"
    exit 0
fi

source=$folder/llama_cpp_python-$version
if [ ! -f "$source/pyproject.toml" ]; then
    [ -f "$source.tar.gz" ] ||
        pip download --dest "$folder" --no-deps --no-binary llama-cpp-python "llama-cpp-python==$version"
    tar -xzf "$source.tar.gz" -C "$folder"
fi

# The library alone: no tools, examples, server or multimodal parts.
launcher=$(command -v ccache || true)
cmake -S "$source/vendor/llama.cpp" -B "$folder/tree" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
    -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_SERVER=OFF -DGGML_OPENMP=OFF -DCMAKE_INSTALL_RPATH='$ORIGIN' -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
    -DCMAKE_C_COMPILER_LAUNCHER="$launcher" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" >"$folder/build.txt" 2>&1 &&
    nice -n 10 cmake --build "$folder/tree" --target llama -- -j"$jobs" >>"$folder/build.txt" 2>&1 || {
    tail -20 "$folder/build.txt" >&2
    echo "llamacpp.sh: llama.cpp does not build; all of what was said is in $folder/build.txt" >&2
    exit 1
}

# The package without its own build of the library, then the library.
CMAKE_ARGS=-DLLAMA_BUILD=OFF pip install "$source" gguf safetensors numpy
package=$(cd / && "$venv/bin/python" -c 'import importlib.util as u
print(u.find_spec("llama_cpp").submodule_search_locations[0])')
mkdir -p "$package/lib"
cp -P "$folder"/tree/bin/lib*.so* "$package/lib/"
lib=$(installed) || { echo "llamacpp.sh: llama-cpp-python $version is in $venv but does not load" >&2; exit 1; }
echo "llama-cpp-python $version: $lib"
