#!/bin/sh
# Makes the Debian packages of a build and says what is missing in them.
# usage: packages.sh BUILD CPACK
set -eu
build=$1 cpack=$2 work=$1/packages
for tool in dpkg-deb dpkg-shlibdeps; do
  command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 0; }
done
rm -rf "$work"
"$cpack" -G DEB --config "$build/CPackConfig.cmake" -B "$work"

wrong=0
contains() { # contains PACKAGE COMMAND PATTERN...
  package=$1 command=$2
  shift 2
  found=$(dpkg-deb "$command" "$work/${package}_"*.deb)
  for pattern in "$@"; do
    echo "$found" | grep -Eq -- "$pattern" || { echo "$package: no '$pattern' in $command"; wrong=1; }
  done
}
contains libgradus-dev --contents '/usr/include/gradus/core/tensor/tensor.h$' \
  '/usr/include/gradus/layers/layers.h$' '/usr/include/gradus/optim/optimizer.h$' \
  '/libgradus_core\.(a|so)' '/usr/include/gradus/examples/training/train.h$' \
  '/libgradus_training\.a' '/libgradus_step\.a' '/usr/include/gradus/examples/step/step.h$' \
  '/gradus-config.cmake$' '/gradus.pc$' '/doc/libgradus-dev/copyright$'
contains libgradus-dev --field '^Version: [0-9.]+$' '^Maintainer: Gradus developers$' \
  '^Depends: .*libfmt-dev.*libdw-dev' '^Recommends: libopenblas0'
contains gradus --contents '/usr/bin/translate$' '/usr/bin/step$' '/doc/gradus/copyright$'
contains gradus --field '^Depends: .*libc6 ' '^Recommends: libopenblas0' '^Section: science$'
if [ -e "$build/libgradus_core.so" ]; then
  contains libgradus0.1 --contents '/libgradus_core\.so\.[0-9.]+$'
  contains libgradus-dev --field '^Depends: .*libgradus0'
  contains gradus --field '^Depends: .*libgradus0'
fi
exit $wrong
