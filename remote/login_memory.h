// What became of our logins at others' servers, for all processes of a pool: a wrong password is not tried
// once for every message that waits (accounts are locked for that), and a mechanism that a server offers but
// cannot use is not tried first again.
//
// While nothing is known of a login, or it was refused last, one process at a time tries it. After a refusal
// nobody does for five minutes, then ten, and so on up to an hour. Advice only: what is lost or overwritten
// is as if it had never been known.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sasl/mechanism.h"

namespace relais::remote {

class LoginMemory {
  public:
    // Memory that children forked later share. Without memory nothing is remembered.
    LoginMemory();
    ~LoginMemory();
    LoginMemory(const LoginMemory&) = delete;
    LoginMemory& operator=(const LoginMemory&) = delete;

    enum class State {
        free,     // go on; what came of it must be noted
        busy,     // another process is finding out
        resting,  // refused lately
    };
    struct Admission {
        State state = State::free;
        std::int64_t refused_at = 0;  // unix seconds; where it rests
        std::int64_t rests_until = 0;
        std::optional<sasl::Mechanism> first{};  // the one to begin with
    };
    // login: names the server, the user and the settings with the password. now: unix seconds.
    Admission admit(std::string_view login, std::int64_t now);
    // first: what to begin with from now on, where another one had been refused before.
    void note_accepted(std::string_view login, std::optional<sasl::Mechanism> first, std::int64_t now);
    void note_refused(std::string_view login, std::int64_t now);
    // Nobody has said whether the login is right.
    void note_nothing(std::string_view login);

    // How long a login rests after it was refused so many times in a row.
    static std::chrono::seconds rest(std::uint64_t refusals);

  private:
    struct Table;
    struct Record;
    Table* table_ = nullptr;
};

}  // namespace relais::remote
