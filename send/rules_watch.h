// control/locals and control/virtualdomains while qmail-send runs. Both count again, in one go, when neither
// has changed for a while: an editor's half-written file would bounce our own mail. A new state that is most
// likely a mistake does not count: the rules stay as they were, with an alert, until the files change again
// or somebody says SIGHUP.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "control/control_file.h"
#include "control/home.h"
#include "send/rewrite.h"

namespace relais::send {

// Why the rules that the files hold now had better not replace those in use; empty if they may. accepted: the
// lines of rcpthosts. Pure.
struct RuleFiles {
    std::optional<std::vector<std::string>> locals;  // nothing: there is no such file
    std::optional<std::vector<std::string>> virtual_domains;
};
std::string trouble_of_rules(const RewriteRules& in_use, const RewriteRules& fresh, const RuleFiles& files,
                             const std::vector<std::string>& accepted);

class RulesWatch {
  public:
    explicit RulesWatch(const control::Home& home);

    struct News {
        std::optional<RewriteRules> rules;  // that count from now on
        std::string alert;                  // why those in use stay
    };
    // To be called every few seconds. quiet: for how long nothing must have changed.
    News look(const RewriteRules& in_use, Clock::time_point now, Seconds quiet);
    // The files were read, whatever they hold.
    void forget();
    // Why the rules in use are not those of the files; empty if they are, or nothing is known yet.
    const std::string& trouble() const { return trouble_; }

  private:
    bool changed();

    control::Home home_;
    control::ChangeWatch locals_;
    control::ChangeWatch virtual_domains_;
    std::optional<Clock::time_point> changed_at_;
    std::string trouble_;
};

}  // namespace relais::send
