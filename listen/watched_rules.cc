#include "listen/watched_rules.h"

namespace relais::listen {

const tcprules::RulesFile& WatchedRules::get() {
    if (!watch_.changed() && rules_) return *rules_;
    rules_.reset();
    rules_ = std::make_unique<tcprules::RulesFile>(path_);
    return *rules_;
}

}  // namespace relais::listen
