#!/bin/bash
# Trains in several processes. usage: ranks.sh WHAT MPIRUN TRANSLATE VERSION [COUNT]
#   shared_memory, tcp: 1, 2, 3 and 4 ranks give the bytes of a run without MPI
#   mismatch: ranks that were started with different data, options or versions are told apart
#   kill: COUNT times (3) a rank is killed at a random moment; the rest ends, and a resumed run,
#         with another number of ranks, gives the bytes of one that was never disturbed
set -eu
what=$1 mpirun=$2 translate=$3 version=$4 count=${5:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

small="--embedding 16 --hidden 16 --batch 512 --dropout 0.1 --epochs 2 --threads 1 --shards 8"
fail() { echo "$*" >&2; exit 1; }

same_bytes() { # same_bytes RANKS MPIRUN_OPTIONS
  "$translate" $small --model alone/model >alone.log
  for ranks in $1; do
    "$mpirun" -np $ranks $2 "$translate" $small --model $ranks/model >$ranks.log 2>$ranks.err ||
      fail "$ranks ranks: $(cat $ranks.err)"
    cmp alone/model $ranks/model
    [ $ranks -gt 1 ] || continue
    # Times and speeds apart, they print the same, once.
    diff <(sed -E 's/[0-9,]+ tokens|after [0-9:]+|(alone|[0-9])\///g' alone.log) \
         <(sed -E 's/[0-9,]+ tokens|after [0-9:]+|(alone|[0-9])\///g' $ranks.log)
  done
}

# Starts two ranks; on the second one an option or the program is another. The error must hold a text.
expect() { # expect TEXT OPTION OTHER_OPTION [PROGRAM]
  text=$1
  common="train --train pairs --valid pairs --min-count 1 $small --seed 1 --model two"
  if "$mpirun" -np 1 "$translate" $common : -np 1 "${4:-$translate}" ${common/"$2"/"$3"} \
      >two.log 2>two.err; then
    fail "no error, where '$text' was expected"
  fi
  grep -qF -- "$text" two.err || fail "no '$text' in: $(cat two.err)"
  ! grep -q epoch two.log || fail "training had begun: $(cat two.log)"
}

mismatch() {
  printf 'I see.\tIch sehe.\nYou see.\tDu siehst.\nI go.\tIch gehe.\n' >pairs
  sed 's/gehe/ging/' pairs >others
  expect 'seed: 2 on rank 1, 1 on rank 0' '--seed 1' '--seed 2'
  expect 'shards: 4 on rank 1, 8 on rank 0' '--shards 8' '--shards 4'
  expect 'epochs: 3 on rank 1, 2 on rank 0' '--epochs 2' '--epochs 3'
  expect 'checksum of the training pairs: ' '--train pairs' '--train others'
  expect 'rank 1 of 2: missing: cannot be opened' '--train pairs' '--train missing'
  sed "s/${version//./\\.}/9${version#?}/g" "$translate" >newer  # of the same length
  chmod +x newer
  expect "version of Gradus: 9${version#?} on rank 1, $version on rank 0" - - ./newer
  if "$mpirun" -np 3 "$translate" ${small/shards 8/shards 2} --model two >two.log 2>two.err; then fail "3 > 2"; fi
  grep -q '3 ranks need --shards of 3 or more, got 2' two.err || fail "$(cat two.err)"
}

now() { date +%s%N; }

kill_at_random() {
  for i in $(seq 400); do
    printf 'a%d b%d c%d\tx%d y%d z%d\n' $((i % 7)) $((i % 11)) $((i % 5)) $((i % 7)) $((i % 11)) $((i % 5))
  done >pairs
  head -20 pairs >valid
  small="train --train pairs --valid valid --embedding 16 --hidden 16 --batch 40 --dropout 0.1
    --epochs 5 --threads 1 --shards 8 --rate 0.01"
  "$translate" $small --model alone >alone.log
  start=$(now)
  "$mpirun" -np 4 "$translate" $small --save-every 0 --model whole >whole.log
  length=$(($(now) - start))
  cmp alone whole
  for ((i = 1; i <= count; i++)); do
    rm -f model*
    "$mpirun" -np 4 "$translate" $small --save-every 0 --model model >run.log 2>run.err &
    job=$!
    moment=$((RANDOM * length / 32768 / 1000000))
    sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
    mapfile -t ranks < <(pgrep -P $job || true)
    victim=$((RANDOM % 4))
    start=$(now)
    # There may be no rank to kill: they have not started yet, or have just ended.
    if [ ${#ranks[@]} -lt 4 ] || ! kill -9 "${ranks[$victim]}" 2>/dev/null; then
      wait $job || fail "$(cat run.err)"
      i=$((i - 1))
      continue
    fi
    if wait $job; then fail "a rank was killed, and mpirun reports success"; fi
    for process in "${ranks[@]}"; do
      while [ -e /proc/$process ]; do sleep 0.01; done
    done
    took=$((($(now) - start) / 1000000))
    [ $took -lt 10000 ] || fail "the others ended after $took ms"
    grep -q "rank $victim" run.err || fail "rank $victim is not named in: $(cat run.err)"
    resume=
    [ ! -e model.checkpoint ] || resume=--resume
    next=$((RANDOM % 4 + 1))
    "$mpirun" -np $next "$translate" $small $resume --model model >again.log 2>again.err ||
      fail "cannot be resumed: $(cat again.err)"
    cmp alone model
    echo "$i: rank $victim killed after $moment ms, the others ended in $took ms;" \
      "${resume:-started again} on $next ranks: the same bytes"
  done
}

case $what in
  shared_memory) same_bytes "1 2 3 4" "" ;;
  tcp) same_bytes "1 2 4" "--mca btl tcp,self" ;;
  mismatch) mismatch ;;
  kill) kill_at_random ;;
  *) fail "ranks.sh: no test '$what'" ;;
esac
