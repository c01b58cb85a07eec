#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/terminal/draw.h"
#include "examples/training/train.h"

/// How a run went, for other programs and for the eye.
namespace gradus::training {

/// One entry per epoch: "epoch", "loss", the figures by their names, "tokens_per_second" (or what
/// the task's items are), "seconds", "peak_memory_mib"; then `end`, to which the best epoch, its
/// loss, the mean speed, the peak of memory and the number of threads are added.
nlohmann::json report_json(const TrainReport& report, const std::vector<Figure>& figures,
                           const nlohmann::json& end, const std::string& item = "tokens");

/// Right answers, and how many there were.
struct Tally {
  int64_t right = 0, asked = 0;
  double accuracy() const { return asked == 0 ? 0 : 100.0 * double(right) / double(asked); }
};
using Tallies = std::map<std::string, Tally>;  ///< by the kind of question

/// {"bleu": 20.3, …}
nlohmann::json figures_json(const std::vector<Figure>& figures, const Figures& values);

/// Writes JSON to a file, where a path is given.
void write_report(const std::string& path, const nlohmann::json& report);

/// The training loss and the first figure, which is the loss of the validation.
std::vector<terminal::Curve> loss_curves(const TrainReport& report);

/// The loss curves for the terminal; writes them as SVG beside the model, where `svg` is given.
std::string show_curves(const TrainReport& report, const std::string& unit,
                        const std::string& svg = "");

}  // namespace gradus::training
