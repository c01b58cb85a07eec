#!/usr/bin/env python3
"""Runs the benchmarks, each beside its floor and its peer, and prints a table.

README.md beside this file says what the rows mean. Only the standard library is needed; the peer
is PyTorch, run by `--python`, through the scripts in `--anchors`. What is missing is left out.
"""
import argparse, json, math, os, platform, random, re, statistics, subprocess, sys, tempfile, time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@dataclass
class Row:
    name: str
    threads: Optional[int]
    median: float
    unit: str
    floor: Optional[float] = None
    peer_name: Optional[str] = None
    peer: Optional[float] = None


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=ROOT / "build/bench", help="folder of the built binaries")
    p.add_argument("--anchors", type=Path, help="folder of torch_translate.py and torch_micro.py",
                   default=os.environ.get("GRADUS_ANCHORS", ROOT / "../shared/anchors"))
    p.add_argument("--data", type=Path, help="folder of train.tsv and valid.tsv; without it made-up sentences",
                   default=os.environ.get("GRADUS_DATA", ROOT / "../shared/data/cmn-eng"))
    p.add_argument("--python", default=sys.executable, help="a Python that has torch")
    p.add_argument("--jax-python", default=sys.executable, help="a Python that has jax and optax")
    p.add_argument("--keras-python", default=sys.executable, help="a Python that has tensorflow")
    p.add_argument("--no-peer", action="store_true", help="leave PyTorch, JAX and Keras out")
    p.add_argument("--compiled", action="store_true", help="also compare with torch.compile (slow to start)")
    p.add_argument("--threads", default="1,2", help="numbers of threads (default %(default)s)")
    p.add_argument("--steps", type=int, default=80, help="training steps per run, 20 of them warm-up")
    p.add_argument("--rounds", type=int, default=3, help="runs of each, ours and the peer's in turn")
    p.add_argument("--only", default="", metavar="PATTERN", help="regular expression on the rows' names")
    p.add_argument("--json", metavar="FILE", help="write the rows here too")
    a = p.parse_args()
    a.threads = [int(n) for n in a.threads.split(",")]
    a.data, a.anchors = Path(a.data), Path(a.anchors)
    return a


def note(text):
    print(time.strftime("%H:%M:%S ") + text, file=sys.stderr, flush=True)


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}\nended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def run_json(*command):
    return json.loads(run(*command).splitlines()[-1])


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def exponent(points):
    """Fitted by least squares to the logarithms of size and time."""
    x, y = zip(*((math.log(size), math.log(time)) for size, time in points))
    return statistics.linear_regression(x, y).slope


def make_up_data(folder):
    """Sentences as long as those of the real data: target 2–16 characters, source 2–12 words."""
    rng = random.Random(1)
    likely = lambda n: min(int(rng.paretovariate(0.8)), n)     # word k about as often as k^-1.8
    for name, lines in (("train", 24500), ("valid", 1000)):
        with open(folder / f"{name}.tsv", "w", encoding="utf-8") as file:
            for _ in range(lines):
                target = min(max(round(rng.gauss(9.2, 2.7)), 2), 16)
                source = min(max(round(2.4 + 0.48 * target + rng.gauss(0, 1.35)), 2), 12)
                words = " ".join(f"w{likely(4000)}" for _ in range(source))
                file.write(words + "\t" + "".join(chr(0x4E00 + likely(2300)) for _ in range(target)) + "\n")
    return folder


class Suite:
    def __init__(self, a, scratch):
        self.a, self.rows = a, []
        self.micro, self.translate = a.build / "bench_micro", a.build / "bench_translate"
        self.data = a.data
        if not (a.data / "train.tsv").exists():
            note(f"{a.data} has no train.tsv: made-up sentences of similar lengths instead")
            self.data = make_up_data(Path(scratch))
        self.scratch = Path(scratch)
        self.peer = None
        if not a.no_peer:
            torch = subprocess.run([a.python, "-c", "import torch; print(torch.__version__)"],
                                   capture_output=True, text=True)
            if torch.returncode != 0:
                note(f"PyTorch is left out: {a.python} has no torch")
            elif not (a.anchors / "torch_translate.py").exists():
                note(f"PyTorch is left out: no torch_translate.py in {a.anchors} (see --anchors)")
            else:
                self.peer = "pytorch " + torch.stdout.strip()

    def has(self, python, modules):
        return not self.a.no_peer and subprocess.run([python, "-c", f"import {modules}"],
                                                     capture_output=True).returncode == 0

    def wanted(self, *names):
        return any(re.search(self.a.only, name) for name in names)

    def add(self, name, threads, value, unit, floor=None, peer=None, peer_name=None):
        if value is not None and self.wanted(name):
            self.rows.append(Row(name, threads, value, unit, floor,
                                 (peer_name or self.peer) if peer is not None else None, peer))

    # --- (1) the translator's training step ---------------------------------------------------
    def torch_step(self, variant, threads, steps, sizes, *more):
        if not self.peer:
            return {}
        return run_json(self.a.python, self.a.anchors / "torch_translate.py", "--data", self.data / "train.tsv",
                        "--variant", variant, "--threads", threads, "--steps", steps, "--optimizer", "adam-fused",
                        *sizes, *more)

    def our_step(self, variant, threads, steps, sizes, *more):
        sizes = [{"--emb": "--embedding"}.get(s, s) for s in sizes]
        return run_json(self.translate, "step", "--data", self.data / "train.tsv", "--threads", threads,
                        "--steps", steps, *sizes, *more, *(["--no-input-feeding"] if variant == "a" else []))

    def anchor_order(self, sizes):
        """The numbers of the batches in the order in which torch_translate.py takes them."""
        batch = sizes[sizes.index("--batch") + 1]
        order = list(range(run_json(self.translate, "count", "--data", self.data / "train.tsv", "--batch", batch)))
        random.Random(1).shuffle(order)
        return order

    def training(self):
        usual = ["--batch", 64, "--emb", 128, "--hidden", 256]
        small = ["--batch", 8, "--emb", 32, "--hidden", 32]
        for name, variant, sizes, all_threads in (("step/a", "a", usual, self.a.threads),
                                                  ("step/b", "b", usual, self.a.threads),
                                                  ("step/small_a", "a", small, [1]),
                                                  ("step/small_b", "b", small, [1])):
            for threads in all_threads:
                if not self.wanted(name, name + "/of_peak", name + "/peak_memory", name + "/compiled"):
                    continue
                order = ",".join(map(str, self.anchor_order(sizes)[:self.a.steps]))
                ours, theirs = [], []
                for k in range(self.a.rounds):
                    note(f"{name}, threads {threads}, round {k + 1} of {self.a.rounds}")
                    ours.append(self.our_step(variant, threads, self.a.steps, sizes, "--floor", "--order", order))
                    theirs.append(self.torch_step(variant, threads, self.a.steps, sizes))
                of = lambda key, runs: median([r.get(key) for r in runs])
                self.add(name, threads, of("ms", ours), "ms", of("floor_ms", ours), of("ms_per_step_median", theirs))
                self.add(name + "/of_peak", threads, of("ms", ours), "ms", of("peak_floor_ms", ours))
                self.add(name + "/peak_memory", threads, of("peak_memory_mib", ours), "MiB",
                         peer=of("peak_rss_mib", theirs))
                if self.a.compiled and self.peer:
                    note(f"{name}, threads {threads}, torch.compile")
                    compiled = self.torch_step(variant, threads, self.a.steps, sizes, "--compile")
                    self.add(name + "/compiled", threads, of("ms", ours), "ms", of("floor_ms", ours),
                             compiled["ms_per_step_median"], self.peer + ", torch.compile")

    def transformer(self):
        name = "step/transformer"
        if not self.wanted(name, name + "/of_peak", name + "/peak_memory", name + "/tokens"):
            return
        for threads in self.a.threads:
            ours, theirs = [], []
            for k in range(self.a.rounds):
                note(f"{name}, threads {threads}, round {k + 1} of {self.a.rounds}")
                ours.append(self.our_step("b", threads, self.a.steps, ["--batch", 64], "--floor", "--transformer"))
                if self.peer and (self.a.anchors / "torch_transformer.py").exists():
                    theirs.append(run_json(self.a.python, self.a.anchors / "torch_transformer.py", "--fused", "--data",
                                           self.data / "train.tsv", "--threads", threads, "--steps", self.a.steps))
            of = lambda key, runs: median([r.get(key) for r in runs])
            self.add(name, threads, of("ms", ours), "ms", peer=of("ms_per_step_median", theirs))
            self.add(name + "/tokens", threads, of("tokens_per_s", ours), "tokens/s", peer=of("tokens_per_s", theirs))
            self.add(name + "/of_peak", threads, of("ms", ours), "ms", of("peak_floor_ms", ours))
            self.add(name + "/peak_memory", threads, of("peak_memory_mib", ours), "MiB", peer=of("peak_rss_mib", theirs))

    def other_peers(self):
        """JAX and Keras, on sentences of one length: 10 source and 11 target tokens, 2,000 words each."""
        sizes = ["--S", 10, "--T", 11, "--vs", 2000, "--vt", 2000, "--steps", 60]
        peers = (("a", "jax", self.a.jax_python, "jax, optax", "jax_translate.py", ["--variant", "a"]),
                 ("b", "jax", self.a.jax_python, "jax, optax", "jax_translate.py", ["--variant", "b"]),
                 ("a", "keras", self.a.keras_python, "tensorflow", "keras_translate.py", []),
                 ("a", "keras_xla", self.a.keras_python, "tensorflow", "keras_translate.py", ["--jit"]))
        for variant, kind, python, modules, script, options in peers:
            name = f"shape/{variant}/{kind}"
            if not self.wanted(name):
                continue
            if not (self.a.anchors / script).exists() or not self.has(python, modules):
                note(f"{name} is left out: no {script}, or {python} has no {modules}")
                continue
            for threads in self.a.threads:
                ours, theirs = [], []
                for k in range(self.a.rounds):
                    note(f"{name}, threads {threads}, round {k + 1} of {self.a.rounds}")
                    ours.append(run_json(self.translate, "shape", "--threads", threads, "--steps", 60,
                                         *(["--no-input-feeding"] if variant == "a" else [])))
                    theirs.append(run_json(python, self.a.anchors / script, "--threads", threads, *sizes, *options))
                self.add(name, threads, median([r["ms"] for r in ours]), "ms",
                         peer=median([r["ms"] for r in theirs]), peer_name=theirs[0]["peer"])

    # --- (2) matrix products, and single operations ---------------------------------------------
    GROUPS = {"overhead": "add8", "lstm": "lstm", "softmax": "softmax|cross", "attention": "attention",
              "layernorm": "layernorm", "elementwise": "_1m_"}

    def products(self):
        if not self.wanted("products/") and "products" not in self.a.only:
            return
        for threads in self.a.threads:
            note(f"products, threads {threads}")
            measured = run_json(self.translate, "products", "--threads", threads)
            for shape in measured["shapes"]:
                self.add("products/" + shape["name"], threads, 1e3 * shape["ms"], "us",
                         1e3 * shape["peak_floor_ms"], 1e3 * shape["openblas_ms"],
                         f"OpenBLAS, {measured['openblas']}")

    # The floor of what memory limits: copies that read and write as many numbers.
    COPIES = {"softmax_1024x4000_forward": ("copy_4m_new_tensor", 1),
              "softmax_1024x4000_forward_backward": ("copy_4m_new_tensor", 2.5),
              "layernorm_4096x256_forward": ("copy_1m_new_tensor", 1),
              "layernorm_4096x256_forward_backward": ("copy_1m_new_tensor", 2.5),
              **{f"{name}_1m_new_tensor": ("copy_1m_new_tensor", 1) for name in ("tanh", "sigmoid", "exp")}}

    def micro_cases(self):
        names = [n.replace("/real_time", "") for n in run(self.micro, "--benchmark_list_tests").split()]
        names = [n for n in names if self.wanted("micro/" + n) or
                 ("attention" in n and
                  self.wanted(f"micro/{n.split('/')[0].removesuffix('_forward_backward')}_peak_memory"))]
        if not names:
            return
        names += sorted({self.COPIES[n][0] for n in names if n in self.COPIES} - set(names))
        groups = [g for g, pattern in self.GROUPS.items() if any(re.search(pattern, n) for n in names)]
        for threads in self.a.threads:
            theirs = {}
            if self.peer and groups and (self.a.anchors / "torch_micro.py").exists():
                note(f"micro, threads {threads}, PyTorch")
                theirs = run_json(self.a.python, self.a.anchors / "torch_micro.py", "--threads", threads,
                                  "--only", ",".join(groups))
            if self.peer and "adam_2.5m" in names:
                theirs.update(run_json(self.a.python, HERE / "torch_peer.py", threads, "adam"))
            if self.peer and any("attention_long_tiled" in n for n in names):
                long = run_json(self.a.python, HERE / "torch_peer.py", threads, "attention", 8192)
                theirs["attention_long_tiled_8192_forward_backward_ms"] = long["attention_ms"]
                theirs["attention_long_tiled_8192_peak_extra_mib"] = long["peak_extra_mib"]
            note(f"micro, threads {threads}, Gradus")
            ours = json.loads(run(self.micro, "--threads", threads, "--benchmark_format=json",
                                  "--benchmark_min_time=0.1", "--benchmark_repetitions=5",
                                  "--benchmark_filter=^(" + "|".join(map(re.escape, names)) + ")/real_time$"))
            medians = [b for b in ours["benchmarks"] if b.get("aggregate_name") == "median"]
            times = {b["run_name"].split("/")[0]: b["real_time"] / 1e3 for b in medians}
            for b in medians:
                name, unit = b["run_name"].split("/")[0], b["label"]
                us = times[name]
                value = {"us_per_op": us / 1000, "us": us, "ms": us / 1e3}[unit]
                peer = theirs.get(f"{name}_{unit}")
                if f"{name}_gb_per_s" in theirs:          # 8 bytes for each of a million elements
                    peer = 8e3 / theirs[f"{name}_gb_per_s"]
                copy, count = self.COPIES.get(name, (name, None))
                floor = count and count * times[copy] * value / us
                self.add("micro/" + name, threads, value, unit.replace("_per_", "/"), floor, peer=peer)
                if "attention" in name and name.endswith("_forward_backward"):
                    form = name.removesuffix("_forward_backward")
                    self.add(f"micro/{form}_peak_memory", threads, b["peak_extra_mib"], "MiB",
                             peer=theirs.get(f"{form}_peak_extra_mib"))
            self.add_exponents(threads)

    def add_exponents(self, threads):
        """How the time of attention in links grows with length: 1 is linear."""
        for form in ("window", "chain"):
            name = re.compile(rf"micro/attention_long_{form}_(\d+)_forward_backward")
            points = [(int(m[1]), r.median) for r in self.rows if r.threads == threads and (m := name.fullmatch(r.name))]
            if len(points) > 2:
                self.add(f"micro/attention_long_{form}_growth", threads, exponent(points), "exponent")

    # --- (3) translating ------------------------------------------------------------------------
    def translating(self):
        train, valid, steps = self.data / "train.tsv", self.data / "valid.tsv", 200
        names = {beam: name for beam, name in ((1, "translate/greedy"), (5, "translate/beam5")) if self.wanted(name)}
        if not names:
            return
        for threads in self.a.threads:
            note(f"translating, threads {threads}, after {steps} steps of training")
            ours = run_json(self.translate, "decode", "--data", train, "--valid", valid, "--threads", threads,
                            "--steps", steps, "--beams", ",".join(map(str, names)))
            theirs = {}
            if self.peer and 1 in names:
                theirs["1"] = run_json(self.a.python, HERE / "torch_peer.py", threads, "greedy",
                                       self.a.anchors / "torch_translate.py", "--data", train, "--valid", valid,
                                       "--variant", "b", "--steps", steps)
            for beam, name in names.items():
                us, them = ours[str(beam)], theirs.get(str(beam), {})
                note(f"  {name}: {us['mean_length']:.1f} characters a sentence" +
                     (f", PyTorch's {them['mean_length']:.1f}" if them else ""))
                self.add(name, threads, us["sentences_per_s"], "sentences/s", peer=them.get("sentences_per_s"))

    # --- (4) start and build --------------------------------------------------------------------
    def start(self):
        names = "start/first_step", "start/reading", "start/peak_memory"
        if not self.wanted(*names):
            return
        usual = ["--batch", 64, "--emb", 128, "--hidden", 256]
        seconds, ours, theirs = [], [], []
        note("start")
        for _ in range(self.a.rounds):
            began = time.monotonic()
            ours.append(self.our_step("b", 1, 1, usual, "--warmup", 0))
            seconds.append(time.monotonic() - began)
            theirs.append(self.torch_step("b", 1, 1, usual))
        of = lambda key, runs: median([r.get(key) for r in runs])
        self.add(names[0], 1, median(seconds), "s", peer=of("first_step_s", theirs))
        self.add(names[1], 1, of("reading_s", ours), "s")
        self.add(names[2], 1, of("peak_memory_mib", ours), "MiB", peer=of("peak_rss_mib", theirs))

    def timed_run(self, name, unit, *command):
        began = time.monotonic()
        run(*command)
        self.add(name, None, time.monotonic() - began, unit)

    def building(self):
        cmake = "/usr/bin/cmake" if os.path.exists("/usr/bin/cmake") else "cmake"
        if self.wanted("build/library"):
            note("build/library")
            folder = self.scratch / "library"
            run(cmake, "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF")
            self.timed_run("build/library", "s", cmake, "--build", folder, "-j", 2,
                           "--target", "gradus_layers", "gradus_optim")
        if self.wanted("build/first_program"):
            note("build/first_program")
            libraries = [self.a.build / f"libgradus_{part}.a" for part in ("layers", "optim", "core")]
            self.timed_run("build/first_program", "s", "g++", "-std=c++20", "-O2", "-I", ROOT,
                           ROOT / "examples/first/main.cpp", *libraries, "-lfmt", "-lopenblas", "-ldw", "-pthread",
                           "-o", self.scratch / "first")
        if self.wanted("build/translator_size"):
            run("strip", self.a.build / "translate", "-o", self.scratch / "stripped")
            self.add("build/translator_size", None, (self.scratch / "stripped").stat().st_size / 1e6, "MB")

    # --- (5) traces -----------------------------------------------------------------------------
    def traces(self):
        names = "trace/recording", "trace/not_recording"
        if not self.wanted(*names):
            return
        folder = self.scratch / "without_trace"
        if self.wanted(names[1]):
            note("trace/not_recording: a build without the recorder")
            cmake = "/usr/bin/cmake" if os.path.exists("/usr/bin/cmake") else "cmake"
            run(cmake, "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGRADUS_BENCH=ON",
                "-DBUILD_TESTING=OFF", "-DCMAKE_CXX_FLAGS=-DGRADUS_WITHOUT_TRACE")
            run(cmake, "--build", folder, "-j", 2, "--target", "bench_translate")
        step = ["step", "--data", self.data / "train.tsv", "--threads", 1, "--steps", self.a.steps]
        plain, recorded, without = [], [], []
        for k in range(self.a.rounds):
            note(f"trace, round {k + 1} of {self.a.rounds}")
            plain.append(run_json(self.translate, *step)["ms"])
            recorded.append(run_json(self.translate, *step, "--record")["ms"])
            if folder.exists():
                without.append(run_json(folder / "bench_translate", *step)["ms"])
        self.add(names[0], 1, median(recorded), "ms", median(plain))
        self.add(names[1], 1, median(plain), "ms", median(without))

    # --- (6) growth -----------------------------------------------------------------------------
    AXES = {"batch": (16, 32, 64, 128), "hidden": (128, 256, 512, 1024), "length": (5, 10, 20, 40),
            "vocabulary": (1000, 2000, 4000, 8000, 16000)}

    def growth(self):
        for axis, values in self.AXES.items():
            if not self.wanted(f"growth/{axis}", *(f"growth/{axis}/{v}" for v in values)):
                continue
            note(f"growth/{axis}")
            ms = []
            for v in values:
                ms.append(run_json(self.translate, "shape", f"--{axis}", v, "--threads", 1, "--steps", 7,
                                   "--warmup", 2)["ms"])
                self.add(f"growth/{axis}/{v}", 1, ms[-1], "ms")
            self.add(f"growth/{axis}", 1, exponent(zip(values, ms)), "exponent")

    def run_all(self):
        self.training()
        self.transformer()
        self.other_peers()
        self.products()
        self.micro_cases()
        self.translating()
        self.start()
        self.building()
        self.traces()
        self.growth()


def table(rows):
    """The ratios: our time over the floor's; how many times better than the peer we are."""
    cells = [("name", "threads", "median", "unit", "floor", "/ floor", "peer", "x peer", "peer's name")]
    number = lambda v: "" if v is None else f"{v:.3g}" if abs(v) < 1000 else f"{v:.0f}"
    for r in rows:
        better = None
        if r.peer is not None and r.median and r.peer:
            better = r.median / r.peer if r.unit.endswith("/s") else r.peer / r.median
        cells.append((r.name, str(r.threads or ""), number(r.median), r.unit, number(r.floor),
                      number(r.median / r.floor if r.floor else None), number(r.peer),
                      number(better), r.peer_name or ""))
    widths = [max(map(len, column)) for column in zip(*cells)]
    right = {1, 2, 4, 5, 6, 7}
    for row in cells:
        print("  ".join(c.rjust(w) if i in right else c.ljust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def machine(translate):
    try:
        model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        model = platform.machine()
    if not translate.exists():
        return f"{model}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
    runs = run_json(translate, "products", "--only-machine")
    return (f"{model}, {os.cpu_count()} cores, kernels {runs['kernels']}, {runs['peak_gflops']:.0f} GFLOP/s, "
            f"OpenBLAS {runs['openblas']}, {time.strftime('%Y-%m-%d')}")


def load_before():
    """What others are doing to the machine. A thread that waits for one that cannot run waits for
    whole time slices, so figures of several threads mean nothing on a busy machine."""
    load = os.getloadavg()[0]
    if load > 0.5:
        note(f"the machine is busy (load {load:.1f}): the figures will be too large, most of all with threads")
    return f"load before {load:.1f}"


def main():
    a = arguments()
    load = load_before()
    with tempfile.TemporaryDirectory() as scratch:
        suite = Suite(a, scratch)
        suite.run_all()
    if not suite.rows:
        sys.exit(f"bench: no row's name matches '{a.only}'")
    print(f"{machine(suite.translate)}, {load}")
    table(suite.rows)
    if a.json:
        Path(a.json).write_text(json.dumps([asdict(r) for r in suite.rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
