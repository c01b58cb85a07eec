#include "examples/training/report.h"

#include <fmt/format.h>

#include "core/files/atomic_file.h"
#include "core/tensor/threads.h"
#include "examples/training/memory.h"
#include "examples/training/world.h"

namespace gradus::training {

using nlohmann::json;

json figures_json(const std::vector<Figure>& figures, const Figures& values) {
  json all = json::object();
  for (size_t i = 0; i < figures.size(); ++i) all[figures[i].name] = values.at(i);
  return all;
}

json report_json(const TrainReport& report, const std::vector<Figure>& figures, const json& end,
                 const std::string& item) {
  const std::string speed = item + "_per_second";
  json list = json::array();
  double mean_speed = 0;
  for (const EpochReport& e : report.epochs) {
    json& entry = list.emplace_back(figures_json(figures, e.figures));
    entry.update({{"epoch", e.epoch},
                  {"loss", e.train_loss},
                  {speed, e.items_per_second},
                  {"seconds", e.seconds},
                  {"peak_memory_mib", e.peak_memory_mib}});
    mean_speed += e.items_per_second / static_cast<double>(report.epochs.size());
  }
  json& last = list.emplace_back(end);
  last.update({{"best_epoch", report.best_epoch().epoch},
               {"loss", report.best_epoch().train_loss},
               {speed, mean_speed},
               {"peak_memory_mib", peak_memory_mib()},
               {"threads", threads()}});
  return list;
}

void write_report(const std::string& path, const json& report) {
  if (!path.empty() && is_first_rank()) write_file(path, report.dump(2) + "\n");
}

std::vector<terminal::Curve> loss_curves(const TrainReport& report) {
  terminal::Curve training{"training", {}}, validation{"validation", {}};
  for (const EpochReport& e : report.epochs) {
    training.values.push_back(e.train_loss);
    validation.values.push_back(e.figures.at(0));
  }
  return {training, validation};
}

std::string show_curves(const TrainReport& report, const std::string& unit,
                        const std::string& svg) {
  const auto curves = loss_curves(report);
  if (!svg.empty() && is_first_rank())
    write_file(svg, terminal::curve_svg("Loss per epoch", "epoch", unit, curves));
  return terminal::curve_text(fmt::format("loss per epoch ({})", unit), curves);
}

}  // namespace gradus::training
