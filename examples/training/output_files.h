#pragma once

#include <string>
#include <utility>
#include <vector>

/// The files that a program writes. What is checked here is checked before the work starts, so that
/// an hour of training does not end in an error, and nothing of somebody else's is overwritten.
namespace gradus::training {

/// Makes the folder of `path` and checks that `path` can be written.
void prepare_to_write(const std::string& path);

/// The same for a model file, its checkpoint, the report, where one is written, and pictures beside
/// the model; returns their paths. Nothing but a model of this kind, and nothing but pictures of
/// these programs, is replaced; the report is none of the files that are `read`: pairs of an option
/// and its path.
std::vector<std::string> prepare_to_train(
    const std::string& kind, const std::string& model_path, const std::string& report_path,
    const std::vector<std::pair<std::string, std::string>>& read = {},
    const std::vector<std::string>& pictures = {});

/// "runs/a_best.safetensors" of "runs/a.safetensors" and "_best".
std::string path_beside(const std::string& path, const std::string& suffix);

/// Throws Error when `path` is the same file as one of the others: pairs of an option and its path.
void check_apart(const std::string& option, const std::string& path,
                 const std::vector<std::pair<std::string, std::string>>& others);

}  // namespace gradus::training
