// control/dnsbllist: lists in DNS of addresses and domains that send spam, or that do not. A line is a list:
//
//   zen.example                                     who is on it scores 5
//   -zen.example                                    ... 10
//   +good.example                                   ... -10: a white list
//   zen.example weight=3 127.0.0.2=6 127.0.0.10-11=1
//   domain:dbl.example weight=4                     asked about the HELO name and the sender's domain
//   uri:dbl.example weight=4                        ... the hosts of URIs in the message
//   hash:ebl.example weight=4                       ... SHA-1 of the sender, and of the addresses in From and
//                                                   Reply-To
//
// With answers of their own weight, others score weight=, or nothing where there is none. Of a list's answers
// the one that scores most counts; the lists' scores are added. A line of words alone says what a score leads
// to; without it this holds:
//
//   tag=1 defer=5 refuse=10
//
// The zones belong to strangers: an answer is judged by its four octets, and nothing else of it is used.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::control {

struct BlockList {
    struct Range {
        std::uint32_t first;  // 127.0.0.10
        std::uint32_t last;   // 127.0.0.11
        int weight;
    };
    enum class Kind { addresses, domains, uris, hashes };
    std::string zone;  // lower case
    Kind kind = Kind::addresses;
    int weight = 0;  // of an answer that no range holds
    std::vector<Range> answers;

    // What an answer, an address in text form, scores; nothing for one that no list gives: outside of
    // 127.0.0.0/8, or 127.255.255.x, by which lists say that they refuse to answer.
    std::optional<int> score(std::string_view answer) const;
};

class BlockLists {
  public:
    // So many lists are asked at most, of domains and of addresses together.
    static constexpr std::size_t most = 32;
    static constexpr int heaviest = 1000;

    BlockLists() = default;
    // The lines of the file, comments taken out. What makes no sense does not count; qmail-showctl tells.
    explicit BlockLists(const std::vector<std::string>& lines);

    bool empty() const { return lists_.empty(); }
    // True if one is asked about what is in a message.
    bool look_into_messages() const;
    const std::vector<BlockList>& lists() const { return lists_; }

    int tag = 1;
    int defer = 5;
    int refuse = 10;

    // What is wrong with a line; "" if nothing is.
    static std::string fault(std::string_view line);

  private:
    // False for a line that makes no sense.
    bool take(std::string_view line);
    bool take_thresholds(const std::vector<std::string_view>& words);

    std::vector<BlockList> lists_;
};

}  // namespace relais::control
