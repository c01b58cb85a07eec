#pragma once

#include <sys/wait.h>

#include "tests/files.h"

namespace gradus::testing {

/// How a program ended, and what it printed.
struct Result {
  int status;
  std::string out, err;
};

/// Runs a shell command in `folder`, in English, where $translate, $step, $characters, $answer,
/// $summarise and $look are the programs.
inline Result run(const Folder& folder, const std::string& command) {
  write(folder / "command.sh", "cd '" + folder.path +
                                   "'\nexport LC_ALL=C.UTF-8\ntranslate='" GRADUS_TRANSLATE
                                   "'\nstep='" GRADUS_STEP "'\ncharacters='" GRADUS_CHARACTERS
                                   "'\nanswer='" GRADUS_ANSWER "'\nsummarise='" GRADUS_SUMMARISE
                                   "'\nlook='" GRADUS_LOOK "'\n" +
                                   command + "\n");
  const int status = std::system(("sh '" + (folder / "command.sh") + "' > '" + (folder / "out") +
                                  "' 2> '" + (folder / "err") + "'")
                                     .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(folder / "out"),
          contents(folder / "err")};
}

/// Runs a training, and interrupts it once its second epoch has ended; what it prints goes to
/// `log`. On a busy machine it may be done before the signal comes: then it begins anew.
inline Result run_and_interrupt(const Folder& folder, const std::string& training) {
  return run(folder, "for attempt in 1 2 3 4 5; do rm -f log\n" + training + R"( > log & pid=$!
    until grep -qs 'epoch *2/' log; do sleep 0.01; done
    kill -INT $pid
    wait $pid; status=$?
    [ $status = 130 ] && break
  done
  exit $status)");
}

}  // namespace gradus::testing
