#!/bin/sh
# Installs a build of Gradus and builds a project against what was installed: by find_package and by
# pkg-config. usage: run.sh static|shared SOURCE BUILD WORK CMAKE COMPILER
# A shared build is made for this first, in WORK; a static one is BUILD itself. CXXFLAGS are those of the
# build: with a sanitizer both want it.
set -eu
kind=$1 source=$2 build=$3 work=$4 cmake=$5 compiler=$6
prefix=$work/installed
if [ "$kind" = shared ]; then
  build=$work/build
  "$cmake" -S "$source" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CXX_FLAGS="${CXXFLAGS-} -O1" -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF
  "$cmake" --build "$build" --target gradus_core gradus_layers gradus_optim gradus_training gradus_step
fi
rm -rf "$prefix" "$work/moved" "$work/consumer" "$work/without_training"
for component in development library; do
  "$cmake" --install "$build" --prefix "$prefix" --component $component
done

echo "--- find_package"
"$cmake" -S "$source/tests/consumer" -B "$work/consumer" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix"
"$cmake" --build "$work/consumer"
(cd "$work" && consumer/consumer)
(cd "$work" && consumer/circle)
printf '%s\n' 'breakpoint op relu and backward' 'continue' 'provenance hidden.weight[0, 0]' \
  'set output.weight = 0' 'doctor' | (cd "$work" && LC_ALL=C.UTF-8 consumer/stepper) > "$work/steps"
for answer in 'breakpoint 1: op relu' 'gradient of hidden.weight' 'row \[' 'output.weight: ' '✗ unreached'; do
  grep -q "$answer" "$work/steps" || { echo "no '$answer' of the stepper:"; cat "$work/steps"; exit 1; }
done
# Without what gradus::training needs, the rest is found all the same.
"$cmake" -S "$source/tests/consumer" -B "$work/without_training" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON

echo "--- pkg-config, from a folder that was moved"
mv "$prefix" "$work/moved"
pc=$(dirname "$(find "$work/moved" -name gradus.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs gradus)
# shellcheck disable=SC2086
"$compiler" ${CXXFLAGS-} -std=c++20 "$source/tests/consumer/main.cpp" -o "$work/by-pkg-config" $flags
(cd "$work" && LD_LIBRARY_PATH=$(dirname "$pc") ./by-pkg-config)
echo "both work: $kind"
