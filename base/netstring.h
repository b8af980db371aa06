// Netstrings, LENGTH ":" OCTETS ",": how QMTP and QMQP frame what they carry.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/io.h"

namespace relais {

std::string netstring(std::string_view octets);

// Reads netstrings, also within netstrings. What is no netstring, or is longer than it may be, throws a
// permanent Error; the end of the input a temporary one with the number EPIPE; a passed deadline one with
// ETIMEDOUT.
class NetstringReader {
  public:
    // Borrows reader. budget: the octets that may be read altogether, lengths and commas too. silence: how
    // long a wait for more may last.
    NetstringReader(Reader& reader, std::uint64_t budget, std::chrono::milliseconds silence)
        : reader_(reader), budget_(budget), silence_(silence) {}

    // The end of all waits, whatever has come until then.
    void set_deadline(Deadline deadline) { deadline_ = deadline; }
    // What is left of the budget; a new one, for what comes within a netstring.
    std::uint64_t budget() const { return budget_; }
    void set_budget(std::uint64_t budget) { budget_ = budget; }

    // The length and its colon. Leading zeros are allowed.
    std::uint64_t read_length();
    // Exactly so many octets, in pieces, to use.
    void read_octets(std::uint64_t count, const std::function<void(std::string_view)>& use);
    void read_comma();

    // A whole netstring of at most limit octets; of a longer one the rest is skipped, and nothing is the
    // result.
    std::optional<std::string> read(std::size_t limit);

  private:
    std::string_view available();
    void take(std::size_t count);
    char read_octet();

    Reader& reader_;
    std::uint64_t budget_;
    std::chrono::milliseconds silence_;
    Deadline deadline_ = Deadline::never();
};

}  // namespace relais
