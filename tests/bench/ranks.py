#!/usr/bin/env python3
"""From which batch and bandwidth on do more ranks pay? A model of the cost of a step.

  python3 tests/bench/ranks.py                      the table
  python3 tests/bench/ranks.py --compare ranks.json compares with what bench_ranks measured

A step on R ranks of a batch of B sentences takes

  T = t₀ + B / R · t + max(0, C − h · B / R · t) + c

t₀: what every rank does whatever the batch: clipping and Adam; t: the forward and backward pass of
one sentence; C = log₂ R · (bytes · (1 / (e · bandwidth) + k) + messages · latency): each gradient travels once per
round of the distance doubling, e is the part of the bandwidth that TCP reaches both ways at once, and k what
packing, copying and adding take; h: the share of a step during which gradients can be sent, which is the
backward pass after the first of them is complete; c: the same of the last bucket, which nothing hides. Gains
are against one rank with the same batch.
"""
import argparse
import json
import math


def step_ms(ranks, batch, args, megabytes=None, overlap=True):
    megabytes = megabytes or args.megabytes
    rounds = math.log2(ranks)
    ms_per_megabyte = 8 / (args.efficiency * args.gigabits) + args.copying_ms
    computing = batch / ranks * args.sentence_ms
    buckets = max(1, round(megabytes / args.bucket))
    last = min(args.bucket, megabytes)
    sending = rounds * (megabytes * ms_per_megabyte + buckets * args.latency_ms)
    at_end = rounds * (last * ms_per_megabyte + args.latency_ms)
    hidden = max(0.0, min(sending - at_end, args.share * computing)) if overlap else 0.0
    return args.fixed_ms + computing + sending - hidden


def table(args):
    ranks = [2, 4, 8, 16, 32, 64]
    print(f"Gain over one rank: {args.megabytes:g} MB of gradients, {args.sentence_ms:g} ms a sentence, "
          f"{args.fixed_ms:g} ms a step besides, latency {args.latency_ms:g} ms\n")
    print("| Gbit/s | batch | one rank, ms |" + "".join(f" {r} ranks |" for r in ranks))
    print("|---:|---:|---:|" + "---:|" * len(ranks))
    for args.gigabits in [1, 10, 100]:
        for batch in [64, 256, 1024, 4096]:
            one = step_ms(1, batch, args)
            gains = "".join(
                f" {one / step_ms(r, batch, args):.2f} |" if r <= batch else " |" for r in ranks)
            print(f"| {args.gigabits} | {batch} | {one:.0f} |{gains}")


def compare(args):
    print("| Gbit/s | ranks | batch | measured, ms | modelled, ms | without overlap, ms | modelled, ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for line in open(args.compare):
        m = json.loads(line)
        args.gigabits = m.get("gigabits", args.gigabits)
        args.sentence_ms = (m["computing_ms"] - args.fixed_ms) * m["ranks"] / m["batch"]
        modelled = [step_ms(m["ranks"], m["batch"], args, m["megabytes"], overlap)
                    for overlap in (True, False)]
        print(f"| {args.gigabits:g} | {m['ranks']} | {m['batch']} | {m['step_ms']:.0f} | {modelled[0]:.0f} "
              f"| {m['step_without_overlap_ms']:.0f} | {modelled[1]:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--compare", metavar="FILE", help="lines of JSON from bench_ranks, with \"gigabits\" put in")
    add("--megabytes", type=float, default=10.5, help="of gradients")
    add("--sentence-ms", type=float, default=0.8, help="computing a sentence")
    add("--fixed-ms", type=float, default=3, help="a step besides")
    add("--efficiency", type=float, default=0.7, help="of the bandwidth")
    add("--copying-ms", type=float, default=0.4, help="packing, copying and adding a megabyte")
    add("--share", type=float, default=0.33, help="of the computing, in which sending is hidden")
    add("--gigabits", type=float, default=1, help="bandwidth a second, each way")
    add("--latency-ms", type=float, default=0.1, help="of a message")
    add("--bucket", type=float, default=2.1, help="megabytes that are sent at once")
    args = parser.parse_args()
    compare(args) if args.compare else table(args)


if __name__ == "__main__":
    main()
