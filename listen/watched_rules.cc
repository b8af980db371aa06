#include "listen/watched_rules.h"

#include "base/file.h"

namespace relais::listen {
namespace {

constexpr std::size_t size_limit = std::size_t{1} << 30;

}  // namespace

const tcprules::RulesFile& WatchedRules::get() {
    if (!watch_.changed() && rules_) return *rules_;
    rules_.reset();
    // Looked for as it stands in a record's data (tcprules/rules.h).
    const auto content = read_file(path_, size_limit);
    names_program_ = content && content->find("+" + program_variable_ + "=") != std::string::npos;
    rules_ = std::make_unique<tcprules::RulesFile>(path_);
    return *rules_;
}

}  // namespace relais::listen
