// An answer to a message that a program gives for its owner, as RFC 3834 wants it: to whom there is none,
// what it says, and who has had one. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::family {

using Fields = std::vector<std::string>;

// Why this message gets no answer, in words that follow "no answer: "; nothing if it may have one. sender is
// the envelope's.
std::optional<std::string> reason_for_silence(const Fields& fields, std::string_view sender);

// The first of these addresses that To or Cc names, as it was given; nothing if none is there.
std::optional<std::string> named_address(const Fields& fields, const std::vector<std::string>& own);

// What the answer is made of.
struct Occasion {
    std::string from;    // if the text names nobody else
    std::string sender;  // who is answered
    std::int64_t now = 0;
    std::uint64_t number = 0;  // tells apart what is made in one second
};
// The whole answer. text is what its owner wrote: lines of text, or before them a header of Subject, From,
// Reply-To and Content-* fields. $SUBJECT in its Subject is the message's own.
std::string answer_to(const Fields& fields, std::string_view text, const Occasion& occasion);

// Who has been answered, and when: a line "SECONDS ADDRESS" each. What is older than the interval is
// forgotten, and so is a line of another form.
class Answered {
  public:
    // Between two answers to the same sender; 0: each message is answered.
    Answered(std::string_view lines, std::int64_t now, std::int64_t interval);

    // Within one interval so many are answered, and no more: somebody who writes under many names makes this
    // host write to many strangers.
    static constexpr std::size_t most = 1000;
    bool is_full() const { return times_.size() >= most; }
    bool has(std::string_view sender) const;
    void add(std::string_view sender, std::int64_t now);
    std::string lines() const;

  private:
    std::map<std::string, std::int64_t, std::less<>> times_;  // by the address in lower case
};

}  // namespace relais::family
