// The rules of -x, as the listener keeps them.
#pragma once

#include <memory>
#include <string>

#include "control/control_file.h"
#include "tcprules/rules.h"

namespace relais::listen {

class WatchedRules {
  public:
    // program_variable: see names_program.
    WatchedRules(std::string path, std::string program_variable)
        : path_(std::move(path)), program_variable_(std::move(program_variable)), watch_(path_) {}

    // The rules, opened again when the file has been replaced. Throws Error when there is no usable file:
    // nobody is served by rules that nobody can read.
    const tcprules::RulesFile& get();
    // As get() left them, without a look at the file.
    const tcprules::RulesFile& last() const { return *rules_; }
    // True if some rule sets the variable that names a program.
    bool names_program() const { return names_program_; }

  private:
    std::string path_;
    std::string program_variable_;
    control::ChangeWatch watch_;
    std::unique_ptr<tcprules::RulesFile> rules_;
    bool names_program_ = false;
};

}  // namespace relais::listen
