#include "examples/training/report.h"

#include <doctest/doctest.h>

using namespace gradus::training;
using nlohmann::json;

TEST_CASE("a report has an entry per epoch, and one for the end with the best epoch") {
  TrainReport report;
  report.epochs = {{1, 3.0, {2.5, 40}, 100, 1.5, 20}, {2, 2.0, {2.25, 60}, 300, 1, 20}};
  report.best = 1;
  const std::vector<Figure> figures{{"valid_loss", "{}"}, {"score", "{}"}};
  const json written = report_json(report, figures, {{"judged_on", "test"}}, "words");
  REQUIRE(written.size() == 3);
  CHECK(written[0] == json{{"epoch", 1},
                           {"loss", 3.0},
                           {"valid_loss", 2.5},
                           {"score", 40.0},
                           {"words_per_second", 100.0},
                           {"seconds", 1.5},
                           {"peak_memory_mib", 20.0}});
  CHECK(written[2].at("judged_on") == "test");
  CHECK(written[2].at("best_epoch") == 2);
  CHECK(written[2].at("loss") == 2);
  CHECK(written[2].at("words_per_second") == 200);
  const auto curves = loss_curves(report);
  CHECK(curves[0].values == std::vector<double>{3, 2});
  CHECK(curves[1].values == std::vector<double>{2.5, 2.25});
}
