// What the refusals of one session lead to: who tries names at random is slowed down and sent away, and no
// session fills the log. Pure.
#pragma once

#include <cstdint>

namespace relais::smtpd {

class RefusalLimits {
  public:
    // Lines of refusals that one session may write; the others are counted.
    static constexpr std::uint64_t logged_limit = 20;
    // Refused recipients before the first pause.
    static constexpr std::uint64_t recipients_without_pause = 4;

    // True if this one may have its line in the log.
    bool may_log() { return ++all_ <= logged_limit; }
    std::uint64_t unlogged() const { return all_ > logged_limit ? all_ - logged_limit : 0; }

    void recipient_accepted() { in_a_row_ = 0; }
    enum class Reaction { none, pause, end };
    // To one more refused recipient. limit: so many without an accepted one between; 0: no limit.
    Reaction recipient_refused(std::uint64_t limit) {
        ++recipients_;
        if (++in_a_row_ > limit && limit > 0) return Reaction::end;
        return recipients_ > recipients_without_pause ? Reaction::pause : Reaction::none;
    }

  private:
    std::uint64_t all_ = 0;
    std::uint64_t recipients_ = 0;
    std::uint64_t in_a_row_ = 0;
};

}  // namespace relais::smtpd
