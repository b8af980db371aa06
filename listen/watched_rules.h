// The rules of -x, as the listener keeps them.
#pragma once

#include <memory>
#include <string>

#include "control/control_file.h"
#include "tcprules/rules.h"

namespace relais::listen {

class WatchedRules {
  public:
    explicit WatchedRules(std::string path) : path_(std::move(path)), watch_(path_) {}

    // The rules, opened again when the file has been replaced. Throws Error when there is no usable file:
    // nobody is served by rules that nobody can read.
    const tcprules::RulesFile& get();
    // As get() left them, without a look at the file.
    const tcprules::RulesFile& last() const { return *rules_; }

  private:
    std::string path_;
    control::ChangeWatch watch_;
    std::unique_ptr<tcprules::RulesFile> rules_;
};

}  // namespace relais::listen
