// The kind: a program takes or overwrites what belongs to somebody else, or reports figures of a
// model that is not there.

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files/safetensors.h"
#include "core/tensor/processor.h"
#include "tests/program.h"
#include "tests/translate/toy.h"

using namespace gradus::testing;
using namespace gradus::translate;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string options =
    " --embedding 16 --hidden 24 --batch 4 --rate 0.02 --min-count 1 --threads 1 --dropout 0.1 ";
const std::string train = "$translate train --train pairs.tsv --valid pairs.tsv" + options;

/// A folder with pairs.tsv.
struct Pairs : Folder {
  Pairs() {
    std::string text;
    for (const Pair& pair : toy::pairs()) text += pair.source + "\t" + pair.target + "\n";
    write(*this / "pairs.tsv", text);
  }
};

/// It failed and said so, with this.
void check_refused(const Result& result, const std::string& part) {
  CHECK(result.status > 0);
  CHECK_MESSAGE(contains(result.err, part), part << " is not in: " << result.err);
}

/// Is to be interrupted.
const std::string long_training = train + "--epochs 100 --patience 100 --model m";

}  // namespace

TEST_CASE("a report on /dev/stdout is added to a log") {
  const Pairs folder;
  REQUIRE(run(folder, train + "--epochs 1 --model m").status == 0);
  write(folder / "log", "earlier\n");
  const Result result =
      run(folder, "$translate eval --model m --data pairs.tsv --report /dev/stdout >> log");
  CHECK(result.status == 0);
  const std::string log = contents(folder / "log");
  CHECK(log.starts_with("earlier\n40 pairs: loss "));
  CHECK(json::parse(log.substr(log.find('['))).size() == 1);
  const Result piped =
      run(folder,
          "$translate eval --model m --data pairs.tsv --report /dev/fd/3 3>&1 >/dev/null | cat");
  CHECK(json::parse(piped.out).size() == 1);
}

TEST_CASE("a closed standard output is an error, and no other file takes its place") {
  const Pairs folder;
  fs::copy_file(GRADUS_STEP, folder / "program");
  const std::string before = contents(folder / "program");
  check_refused(run(folder, "./program 1 --html /dev/stdout >&-"), "cannot write /dev/stdout: ");
  CHECK(contents(folder / "program") == before);
  check_refused(run(folder, "./program 1 < /dev/null >&-"), "standard output: cannot be written");
  check_refused(run(folder, "echo tea | $translate text --model m >&-"), "m: cannot open it");
}

TEST_CASE("--model overwrites nothing but models, and checkpoints likewise") {
  const Pairs folder;
  const std::string pairs = contents(folder / "pairs.tsv");
  check_refused(run(folder, train + "--epochs 1 --model pairs.tsv"),
                "pairs.tsv: holds something else than a model of this translator");
  CHECK(contents(folder / "pairs.tsv") == pairs);
  gradus::save_tensors(folder / "other", {{{"w", gradus::ones({3})}}, {}});
  check_refused(run(folder, train + "--epochs 1 --model other"), "other: holds something else");
  write(folder / "m.checkpoint", "my notes");
  check_refused(run(folder, train + "--epochs 1 --model m"), "m.checkpoint: holds something else");
  check_refused(run(folder, train + "--epochs 1 --model /dev/null"), "/dev/null: is not a file");
  write(folder / "loss.svg", "<svg>my drawing</svg>");
  check_refused(run(folder, "$translate --model m2"), "loss.svg: holds something else");
  for (const char* path : {"pairs.tsv", "./pairs.tsv", "n", "n.checkpoint"})
    check_refused(run(folder, train + "--epochs 1 --model n --report " + path),
                  "is the same file as ");
  // An empty file, as mktemp makes it, and an earlier model are replaced.
  write(folder / "new", "");
  CHECK(run(folder, train + "--epochs 1 --model new").status == 0);
  CHECK(run(folder, train + "--epochs 1 --model new").status == 0);
}

TEST_CASE("two programs do not train into one model") {
  const Pairs folder;
  const Result result =
      run(folder, train + R"(--epochs 1000 --patience 1000 --model m > log & pid=$!
    until grep -q 'epoch *1/' log; do sleep 0.01; done
    )" + train + R"(--epochs 1 --model m > second 2>&1; echo "status $?"
    kill -TERM $pid
    wait $pid; echo "pid $pid")");
  CHECK(contains(result.out, "status 1"));
  const std::string pid = result.out.substr(result.out.find("pid ") + 4);
  CHECK(contents(folder / "second")
            .ends_with(
                "m: another program, process " + pid.substr(0, pid.find('\n')) +
                ", is training into it; wait until it has ended, or choose another --model\n"));
  CHECK_FALSE(fs::exists(folder / "m.lock"));
  // One that was killed leaves its lock's file, but not its lock.
  write(folder / "m.lock", "1");
  CHECK(run(folder, train + "--epochs 1 --model m").status == 0);
}

TEST_CASE("a run is not resumed beside another model's file") {
  const Pairs folder;
  REQUIRE(run_and_interrupt(folder, long_training).status == 130);
  const std::string resume = train + "--epochs 4 --patience 100 --model m --resume";
  const std::string best = contents(folder / "m");
  REQUIRE(run(folder, train + "--seed 2 --epochs 1 --model other").status == 0);
  fs::copy_file(folder / "other", folder / "m", fs::copy_options::overwrite_existing);
  check_refused(run(folder, resume), "m: expected the best model of the run in m.checkpoint");
  CHECK(contents(folder / "m") == contents(folder / "other"));
  fs::remove(folder / "m");
  check_refused(run(folder, resume), "got none that can be read");
  write(folder / "m", best);
  CHECK(run(folder, resume).status == 0);
}

TEST_CASE("killed after the checkpoint and before the model, a run writes the model on resuming") {
  const Pairs folder;
  const std::string two = train + "--epochs 2 --model ";
  REQUIRE(run(folder, train + "--epochs 1 --model m").status == 0);
  const std::string first = contents(folder / "m");
  REQUIRE(run(folder, two + "m --resume").status == 0);
  const std::string second = contents(folder / "m");
  REQUIRE(first != second);  // the second epoch was better
  write(folder / "m", first);
  CHECK(run(folder, two + "m --resume").status == 0);
  CHECK(contents(folder / "m") == second);
}

TEST_CASE("a hangup ends training as a termination does, except under nohup") {
  const Pairs folder;
  const auto stopped_by = [&](const std::string& before, const std::string& signal) {
    fs::remove(folder / "log");
    return run(folder, before + train + "--epochs 30 --patience 30 --model m > log & pid=$!\n" +
                           "until grep -q 'epoch *1/' log; do sleep 0.01; done\n" + signal +
                           "\nwait $pid");
  };
  for (const char* signal : {"kill -TERM $pid", "kill -HUP $pid", "kill -HUP $pid; kill -HUP $pid",
                             "kill -TERM $pid; kill -HUP $pid"}) {
    const Result result = stopped_by("", signal);
    CHECK(result.status == 130);
    CHECK(contains(result.err, "with --resume continues"));
  }
  CHECK(stopped_by("trap '' HUP; ", "kill -HUP $pid").status == 0);
}

TEST_CASE("figures that are not numbers are null in the report, and the run resumes") {
  const Pairs folder;
  REQUIRE(run_and_interrupt(folder, long_training).status == 130);
  gradus::TensorFile file = gradus::load_tensors(folder / "m.checkpoint");
  json report = json::parse(file.metadata.at("report"));
  report["epochs"][0][1] = std::nan("");
  report["epochs"][0][2] = HUGE_VAL;
  file.metadata["report"] = report.dump();
  gradus::save_tensors(folder / "m.checkpoint", file);
  const Result result =
      run(folder, train + "--epochs 5 --patience 100 --model m --resume --report r.json");
  CHECK_MESSAGE(result.status == 0, result.err);
  CHECK(json::parse(contents(folder / "r.json"))[0].at("loss").is_null());
  CHECK(json::parse(contents(folder / "r.json"))[1].at("loss").is_number());
}

TEST_CASE("a run that continues where bits may differ says so, and with other threads need not") {
  if (!gradus::reproducible()) {
    MESSAGE("skipped: this processor has no AVX2, or OpenBLAS computes products");
    return;
  }
  const Pairs folder;
  const std::string note = "but its last bits may differ";
  auto resume = [&](const std::string& environment, int epochs, char threads = '1') {
    std::string command = train;
    command[command.find("--threads 1") + 10] = threads;
    return run(folder, environment + " " + command + "--patience 100 --model m --resume --epochs " +
                           std::to_string(epochs));
  };
  REQUIRE(run(folder, train + "--epochs 1 --model m").status == 0);
  const Result threads = resume("", 2, '2');
  CHECK(threads.status == 0);
  CHECK_FALSE(contains(threads.err, note));
  const Result away = resume("GRADUS_PRODUCTS=openblas", 3);
  CHECK(away.status == 0);
  CHECK(contains(away.err, "m.checkpoint was made by reproducible kernels"));
  CHECK(contains(away.err, note));
  const Result still_away = resume("GRADUS_PRODUCTS=openblas", 4);
  CHECK(still_away.status == 0);
  CHECK_FALSE(contains(still_away.err, note));
  const Result back = resume("", 5);
  CHECK(back.status == 0);
  CHECK(contains(back.err, "and OpenBLAS kernels, and this run continues with reproducible ones"));
}
