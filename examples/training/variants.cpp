#include "examples/training/variants.h"

#include <filesystem>

#include "examples/terminal/output.h"
#include "examples/training/output_files.h"

namespace gradus::training {

bool train_variants(const std::string& kind, const std::vector<Variant>& variants,
                    const TrainOptions& options,
                    const std::function<TrainReport(size_t, const TrainOptions&)>& learn) {
  for (const Variant& variant : variants) prepare_to_train(kind, variant.path, "");
  for (size_t i = 0; i < variants.size(); ++i) {
    terminal::say("\n{}\n", variants[i].name);
    TrainOptions of = options;
    of.model_path = variants[i].path;
    of.resume =
        options.resume && (i == 0 || std::filesystem::exists(of.model_path + ".checkpoint"));
    if (learn(i, of).interrupted) return false;
  }
  return true;
}

}  // namespace gradus::training
