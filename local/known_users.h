// What the user look-up has said about local parts that users/cdb names: asked again when something has
// changed in users/ or control/, and once a second. What the system's user data base says is asked each time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "control/directory_watch.h"
#include "control/home.h"
#include "local/lookup.h"

namespace relais::local {

class KnownUsers {
  public:
    explicit KnownUsers(const control::Home& home);

    // Notices changes: to be called when orders have come, before find.
    void look();
    // The answer, but for its number; null if it has to be asked for.
    const LookupAnswer* find(std::string_view local) const;
    // Which state of the files a question that is asked now is about.
    std::uint64_t state() const { return state_; }
    // Keeps an answer to a question of that state.
    void keep(const std::string& local, const LookupAnswer& answer, std::uint64_t state);

  private:
    std::string path_;
    control::DirectoryWatch watch_;
    std::uint64_t state_ = 0;
    std::unordered_map<std::string, LookupAnswer> answers_;
};

}  // namespace relais::local
