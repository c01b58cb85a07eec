#!/bin/sh
# usage: symbols.sh NM ISA OBJECT…
# Fails when an object that is compiled for ISA defines a symbol that the linker would merge with
# those of other objects: a weak or unique one whose name does not hold the instruction set's.
set -eu
nm=$1 isa=$2
shift 2
test $# -gt 0
shared=$("$nm" --defined-only "$@" | grep -E ' [VWu] ' | grep -v -e "xsimd_$isa" -e DW.ref || true)
if [ -n "$shared" ]; then
  echo "shared with other files:"
  echo "$shared"
  exit 1
fi
