// What doctor finds, a finding for each thing looked at.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace relais::setup {

class Report {
  public:
    enum class Format { text, json };
    // As text each finding is printed as it is made.
    explicit Report(Format format) : format_(format) {}

    enum class Level {
        good,
        note,    // good to know
        unseen,  // this user may not look there; it may be well
        look,    // worth a look: nothing stands still because of it
        bad,     // something does not work
    };
    void add(Level level, const std::string& text, const std::string& remedy = "");
    void good(const std::string& text) { add(Level::good, text); }
    void note(const std::string& text, const std::string& remedy = "") { add(Level::note, text, remedy); }
    void look(const std::string& text, const std::string& remedy) { add(Level::look, text, remedy); }
    void bad(const std::string& text, const std::string& remedy) { add(Level::bad, text, remedy); }
    void unseen(const std::string& text);
    // What went wrong while something was looked at.
    void trouble(const Error& error);

    // 0 if all was seen and is well, 1 if something is worth a look or was not seen, 2 if something does not
    // work.
    int code() const;
    // Prints what has to be printed at the end.
    void finish() const;

  private:
    struct Finding {
        Level level;
        std::string text;
        std::string remedy;
    };
    Format format_;
    std::vector<Finding> findings_;
};

}  // namespace relais::setup
