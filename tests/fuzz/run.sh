#!/bin/sh
# tests/fuzz/run.sh BUILD [SECONDS]: fuzzes every target for 30 SECONDS from its stored corpus, two at
# a time: with libFuzzer and sanitizers where clang++-14 has them, else with the driver of the tests.
# What ends a target is left in BUILD/fuzz/.
set -eu
build=$1
seconds=${2:-30}
cd "$(dirname "$0")/../.."
root=$(pwd)
work=$build/fuzz
mkdir -p "$work"
targets=$(ls tests/fuzz/*_fuzz.cpp | sed 's|.*/\(.*\)_fuzz.cpp|\1|')

# Compiled with sanitizers: what reads the inputs. The rest comes from the libraries of the build.
sources="core/files/json_check.cpp core/files/safetensors.cpp core/trace/trace_file.cpp
  core/trace/trace.cpp core/trace/trace_tensor.cpp core/trace/provenance.cpp core/trace/compare.cpp core/ops/formula.cpp
  core/ops/pointwise.cpp
  examples/training/text.cpp examples/training/lines.cpp examples/training/vocabulary.cpp
  examples/training/model_file.cpp examples/translate/pairs.cpp examples/translate/trained.cpp
  examples/terminal/display_width.cpp
  examples/step/session.cpp examples/step/session_looks.cpp examples/step/session_moves.cpp
  examples/step/session_changes.cpp examples/step/condition.cpp examples/step/views.cpp
  examples/step/overviews.cpp examples/step/show.cpp examples/step/attention.cpp
  examples/live/expression.cpp examples/live/exercises.cpp examples/live/numbers.cpp"
flags="-std=c++20 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
  -I. -I$build/generated"

object() { echo "$work/$(echo "$1" | tr / _).o"; }

compile() {
  for source in $sources $(for t in $targets; do echo "tests/fuzz/${t}_fuzz.cpp"; done); do
    [ "$(object "$source")" -nt "$source" ] || echo "$source $(object "$source")"
  done | xargs -r -P 2 -L 1 sh -c "$compiler"' $0 -c -o $1' 
}

libraries="$build/liblive_engine.a $build/libstep_lessons.a $build/libgradus_step.a $build/libtranslator.a $build/libanswerer.a $build/libgradus_training.a
  $build/libgradus_terminal.a $build/libgradus_layers.a $build/libgradus_optim.a $build/libgradus_core.a"

link() {
  objects=$(for source in $sources; do object "$source"; done)
  for t in $targets; do
    clang++-14 -fsanitize=fuzzer,address,undefined "$(object "tests/fuzz/${t}_fuzz.cpp")" $objects \
      $libraries $(pkg-config --libs fmt libutf8proc sentencepiece libdw libedit) -pthread \
      -o "$work/$t"
  done
}

probe() { echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }' |
  clang++-14 -x c++ - -fsanitize=fuzzer,address -o "$work/probe" 2>/dev/null; }

if command -v clang++-14 >/dev/null && probe; then
  compiler="clang++-14 $(echo $flags)"
  compile
  link
  for t in $targets; do mkdir -p "$work/found/$t"; done
  # The found inputs come first: libFuzzer writes new ones there.
  command="$work/{} -max_total_time=$seconds -timeout=20 -rss_limit_mb=2048 -seed=1 -print_final_stats=1
    -artifact_prefix=$work/crash-{}- $work/found/{} $root/tests/fuzz/corpus/{}"
else
  echo "no libFuzzer (clang-14, libclang-rt-14-dev): the driver of the tests makes the inputs" >&2
  command="cd $work && $build/fuzz_{} -seconds=$seconds $root/tests/fuzz/corpus/{}"
fi
command=$(echo $command)
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
echo "$targets" | xargs -P 2 -I{} sh -c "{ $command; } >$work/{}.log 2>&1 ||
  { tail -n 40 $work/{}.log; echo 'fuzzing {} failed: see $work'; exit 255; }
  grep -h 'number_of_executed_units\|made of them' $work/{}.log | sed 's|^|{}: |'"
