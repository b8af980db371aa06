// control/recipientcheck: what becomes of recipients whom nobody here would get mail for. The first line says
// off, log or on; each other one is a domain with a word of its own, for one whose mail goes on elsewhere:
//
//   on
//   lists.example   off
//   .old.example    log
//
// ".old.example" is everything below old.example. Case does not count. Pure.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relais::policy {

class RecipientCheck {
  public:
    // off: nobody is asked. log: they are accepted, and the log names them. on: they are refused.
    enum class Mode { off, log, on };

    RecipientCheck() = default;
    // The lines of the file, comments taken out. A word that is none counts as off.
    explicit RecipientCheck(const std::vector<std::string>& lines);

    Mode mode_of(std::string_view domain) const;
    // True if no domain is looked at.
    bool is_off() const { return mode_ == Mode::off && domains_.empty(); }

  private:
    Mode mode_ = Mode::off;
    std::unordered_map<std::string, Mode> domains_;
};

}  // namespace relais::policy
