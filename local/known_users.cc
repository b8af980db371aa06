#include "local/known_users.h"

namespace relais::local {
namespace {
constexpr std::size_t answers_limit = 1000;
}

KnownUsers::KnownUsers(const control::Home& home)
    : path_(home.path("users/cdb")), watch_({home.path("users"), home.path("control")}) {}

void KnownUsers::look() {
    watch_.look();
    const std::uint64_t state = control::DirectoryWatch::generation_of(path_);
    if (state != state_) answers_.clear();
    state_ = state;
}

const LookupAnswer* KnownUsers::find(std::string_view local) const {
    const auto found = answers_.find(std::string(local));
    return found == answers_.end() ? nullptr : &found->second;
}

// State 0: nobody watches.
void KnownUsers::keep(const std::string& local, const LookupAnswer& answer, std::uint64_t state) {
    if (state == 0 || state != state_ || !answer.assigned || answer.result != Lookup::found) return;
    if (answers_.size() >= answers_limit) answers_.clear();
    answers_.insert_or_assign(local, answer);
}

}  // namespace relais::local
