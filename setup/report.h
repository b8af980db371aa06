// What doctor says, a line for each thing looked at.
#pragma once

#include <cstdio>
#include <string>

#include "base/error.h"
#include "control/tool.h"

namespace relais::setup {

class Report {
  public:
    void good(const std::string& text) { std::puts(("ok     " + text).c_str()); }
    void note(const std::string& text) { std::puts(("note   " + text).c_str()); }
    void bad(const std::string& text, const std::string& remedy) { say("WRONG  ", text, remedy); }
    // What this user may not look at; it may be well.
    void unseen(const std::string& text) { say("unseen ", text, std::string(control::run_as_root)); }
    // What went wrong while something was looked at.
    void trouble(const Error& error) {
        if (control::is_refusal(error.number()))
            unseen(error.what());
        else
            bad(error.what(), "this needs you");
    }
    // 0 if all was seen and is well, else 1.
    int code() const { return code_; }

  private:
    void say(const char* mark, const std::string& text, const std::string& remedy) {
        std::puts((mark + text + "\n       -> " + remedy).c_str());
        code_ = 1;
    }
    int code_ = 0;
};

}  // namespace relais::setup
