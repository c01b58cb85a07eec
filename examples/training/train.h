#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/autograd/autograd.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"
#include "examples/terminal/progress.h"
#include "examples/training/interrupts.h"
#include "examples/training/model_file.h"
#include "examples/training/shard.h"
#include "examples/training/world.h"
#include "layers/parameters.h"

/// The training loop of every application:
///
///     struct Task<Model, Batch> — what is particular to one: its batches, its loss, its figures
///     TrainOptions              — what the user chooses on the command line
///     train(model, task, options)
///
/// README.md has a program of forty lines that uses it.
namespace gradus::training {

struct TrainOptions {
  int epochs = 10;
  int64_t batch_size = 64;
  double learning_rate = 1e-3;  ///< of Adam
  bool decay = false;           ///< decrease the rate to 0 along a cosine, over all epochs
  int64_t warm_up = 0;          ///< steps in which the rate increases; then, without decay, it
                                ///< decreases with the inverse square root of the step (Vaswani
                                ///< et al. 2017, equation 3)
  double weight_decay = 0;      ///< λ: λ · W is added to the gradient of each matrix W
  double clip = 5;              ///< maximum global norm of the gradients
  int patience = 5;             ///< stop after this many epochs without a better model
  uint64_t seed = 1;
  std::string model_path = {};  ///< of the best model; "….checkpoint" beside it is for resuming
  bool resume = false;
  double save_every = 10;  ///< minutes between two checkpoints within an epoch; each epoch ends
                           ///< with one; 0: after each batch
  int64_t shards = 0;      ///< parts into which each batch is cut, which on several ranks are
                           ///< computed at the same time, see optim/data_parallel.h; 0: none
};

/// The loss of a batch, summed over its items, and the number of these: the gradients are those of
/// sum / items.
struct BatchLoss {
  Tensor sum;
  int64_t items = 1;
};

/// A figure of the validation. The first one of a task is the loss, in the unit of the training
/// loss.
struct Figure {
  std::string name;    ///< in reports: "bleu"
  std::string format;  ///< on the screen, as fmt has it: "BLEU {:.2f}"
};
using Figures = std::vector<double>;

/// Whether a model with the figures `a` is to be kept rather than an earlier one with `b`.
using Better = std::function<bool(const Figures& a, const Figures& b)>;
Better lower(size_t figure);
/// Of two with the same figure, the one with the lower loss.
Better higher(size_t figure);

template <class Model, class Batch>
struct Task {
  /// What the model file says of itself; see model_file.h. A run is resumed only with the same.
  Description about = {};
  /// A checksum of each piece of data: "training pairs". A run is resumed only with the same.
  std::map<std::string, uint64_t> data = {};
  /// What changes from epoch to epoch: a loss that joins later, say. A function of the number alone
  /// (the first is 1), so that a resumed run goes on as it would have.
  std::function<void(Model&, int64_t epoch)> begin_epoch = {};
  /// The batches of an epoch, in the order in which they are learned. They depend on the generator
  /// alone, which is another one in each epoch.
  std::function<std::vector<Batch>(Generator&)> batches = {};
  /// The loss of a batch; in training with a generator, for dropout.
  std::function<BatchLoss(Model&, const Batch&, Generator*)> loss = {};
  /// The rows of a batch that are a shard's; nothing where there are none. There is one for
  /// tensors, whose first axis is cut, and for vectors.
  std::function<std::optional<Batch>(const Batch&, const Shard&)> part = rows_of_shard<Batch>();
  /// The figures of the model, called once an epoch, on all ranks; runs without recording
  /// gradients.
  std::function<Figures(Model&)> validate = {};
  std::vector<Figure> figures = {{"valid_loss", "valid loss {:.3f}"}};
  Better better = lower(0);
  std::string item = "tokens";  ///< what a batch's items are: "tokens/s"
};

/// The loss per item over batches that nothing is learned from: of a validation. The ranks share
/// them out. Throws Error when there are none.
template <class Model, class Batch>
double mean_loss(Model& model, const std::vector<Batch>& batches, auto&& loss) {
  if (batches.empty())
    throw Error("mean_loss: expected at least one batch to validate on, got none; give more data");
  const NoGrad pause;
  const auto [sum, items] = share_out_sums(std::ssize(batches), [&](int64_t i) {
    const BatchLoss of_batch = loss(model, batches[static_cast<size_t>(i)], nullptr);
    return std::array{of_batch.sum.item(), static_cast<double>(of_batch.items)};
  });
  return sum / items;
}

struct EpochReport {
  int epoch = 0;
  double train_loss = 0;  ///< per item, while training
  Figures figures;
  double items_per_second = 0;  ///< of training alone
  double seconds = 0;           ///< of the whole epoch
  double peak_memory_mib = 0;
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int best = -1;             ///< index of the epoch with the best model; −1 for none
  bool interrupted = false;  ///< by `stop`; the checkpoint continues from there

  const EpochReport& best_epoch() const { return epochs.at(static_cast<size_t>(best)); }
};

/// A task and its model without their types: what the loop itself sees.
struct Run {
  std::map<std::string, Tensor> tensors;  ///< all, by name
  std::vector<Tensor> parameters;         ///< those that training adjusts
  Description about;
  std::map<std::string, uint64_t> data;
  std::function<int64_t(int64_t epoch, Generator&)> begin_epoch;  ///< returns how many batches
  std::function<BatchLoss(int64_t batch, Generator&)> loss;
  std::function<BatchLoss(int64_t batch, const Shard&, Generator&)> loss_of_shard;
  std::function<Figures()> validate;
  std::vector<Figure> figures;
  Better better;
  std::string item;
};
TrainReport train(Run& run, const TrainOptions& options, terminal::Progress& progress,
                  const std::function<bool()>& stop);

/// Trains with Adam and leaves the best model in `model` and in `model_path`. One whose parameters
/// or figures are not all finite is not kept. The order of batches and the dropout depend on the
/// seed alone, so a resumed run has the same bits as an uninterrupted one. Training stops after the
/// batch at which `stop()` returns true.
///
/// With `shards`, dropout depends on the seed, the step and the shard, so the bits are the same for
/// any number of ranks, also of those that resume. Rank 0 reads and writes the files; the others
/// need none. Every rank returns the same report and has the best model.
///
/// Meanwhile a lock keeps other programs from training into `model_path`. The checkpoint of each
/// epoch knows the best model's checksum, and is written before it: killed in between, a resumed
/// run writes the model first.
///
/// Throws Error when a gradient is not finite; when no epoch gave a model to keep; when somebody
/// else trains into `model_path`, or has put another model there; when a checkpoint does not fit
/// the model, the data and the options, or is damaged; when a file cannot be written; and when
/// ranks were started with different programs, data or options, before anything is learned.
template <class Model, class Batch>
TrainReport train(Model& model, const Task<Model, Batch>& task, const TrainOptions& options,
                  terminal::Progress& progress, const std::function<bool()>& stop) {
  std::vector<Batch> batches;
  Run run{named_tensors(model),
          parameters(model),
          task.about,
          task.data,
          [&](int64_t epoch, Generator& generator) {
            if (task.begin_epoch) task.begin_epoch(model, epoch);
            batches = task.batches(generator);
            return std::ssize(batches);
          },
          [&](int64_t batch, Generator& generator) {
            return task.loss(model, batches[static_cast<size_t>(batch)], &generator);
          },
          [&](int64_t batch, const Shard& shard, Generator& generator) {
            if (!task.part) throw Error("--shards: the batches of this program cannot be cut");
            const auto part = task.part(batches[static_cast<size_t>(batch)], shard);
            return part ? task.loss(model, *part, &generator) : BatchLoss{{}, 0};
          },
          [&] { return task.validate(model); },
          task.figures,
          task.better,
          task.item};
  return train(run, options, progress, stop);
}

/// The same in view of the user: progress on standard output; the first Ctrl-C, SIGTERM or SIGHUP
/// saves and stops, which is then said on standard error: the program's status is to be
/// `interrupted_status`.
template <class Model, class Batch>
TrainReport train(Model& model, const Task<Model, Batch>& task, const TrainOptions& options) {
  catch_interrupts();
  // mpirun gives its processes a terminal, whatever its own output is.
  terminal::Progress progress(stdout, world().size() == 1 && terminal::is_terminal(stdout));
  TrainReport report = train(model, task, options, progress, is_interrupted);
  if (report.interrupted) tell_interrupted(options.model_path);
  return report;
}

}  // namespace gradus::training
