// Lists of control/dnsbllist that are not asked for a while: they do not answer, or answer for everybody. In
// memory that session processes of a listener share, for each of them lives for a few clients. Advice only: a
// process that is broken into could make others ask too few lists, or dead ones.
#pragma once

#include <cstdint>
#include <string_view>

namespace relais::policy {

class ListHealth {
  public:
    static constexpr std::int64_t rest = 600;  // seconds
    // Without an answer so often in a row it rests: one lost packet is no sign.
    static constexpr std::uint32_t silences = 2;

    // Memory that children forked later share. Without memory nothing is remembered.
    ListHealth();
    ~ListHealth();
    ListHealth(const ListHealth&) = delete;
    ListHealth& operator=(const ListHealth&) = delete;

    // now: unix seconds.
    bool rests(std::string_view zone, std::int64_t now) const;
    void note_answer(std::string_view zone);
    // True if it rests from now on.
    bool note_silence(std::string_view zone, std::int64_t now);
    void note_lie(std::string_view zone, std::int64_t now);

  private:
    struct Table;
    struct Slot;
    // The zone's, or one that becomes it; null if there is none.
    Slot* slot(std::string_view zone) const;

    Table* table_ = nullptr;
};

}  // namespace relais::policy
