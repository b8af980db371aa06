#include "remote/conversation.h"

#include <algorithm>
#include <cerrno>

#include "base/time.h"

namespace relais::remote {
namespace {

// What a bounce or the log quotes of a server's words (qmail's limit).
constexpr std::size_t quote_limit = 5000;

// A transaction may take so much longer for each recipient, and for a message at that rate (octets a second).
constexpr Seconds recipient_patience{10};
constexpr std::uint64_t slowest_rate = 512;

}  // namespace

std::string quoted(const Reply& reply) {
    if (reply.text.empty()) return "";
    std::string text = "Remote host said: " + reply.text.substr(0, quote_limit);
    if (!text.ends_with('\n')) text += '\n';
    return text;
}

std::string diagnostic_of(const Reply& reply) {
    std::string text = reply.text.substr(0, send::diagnostic_limit);
    while (text.ends_with('\n')) text.pop_back();
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\0'; }, ' ');
    return text;
}

Verdict connection_lost(const std::string& ip, const Error& error, bool sending, bool critical) {
    const std::string_view what = error.number() != ETIMEDOUT ? "connection died"
                                  : sending                   ? "it did not take the message in time"
                                                              : "it did not answer in time";
    return {Letter::temporary, "Connected to " + ip + " but " + std::string(what) + ". " +
                                   (critical ? "Possible duplicate! " : "") + "(#4.4.2)\n"};
}

std::optional<Verdict> refuse_late(const std::string& ip, const Extensions& offered, const DsnRequest& dsn) {
    if (!dsn.by || !dsn.by->returns) return std::nullopt;
    const std::int64_t left = dsn.by->when - now_seconds();
    const std::string server = "Connected to " + ip + " but ";
    if (left <= 0)
        return Verdict{Letter::permanent, server + "the time to deliver the message is over. (#5.4.7)\n"};
    if (!offered.deliver_by)
        return Verdict{Letter::permanent,
                       server +
                           "it does not offer DELIVERBY, and the message is to be delivered in time "
                           "or to come back. (#5.4.7)\n"};
    if (static_cast<std::uint64_t>(left) < offered.least_by)
        return Verdict{Letter::permanent, server + "it asks for more time than the " + std::to_string(left) +
                                              " seconds that are left for the message. (#5.4.7)\n"};
    return std::nullopt;
}

Deadline end_of_transaction(Seconds timeout, std::uint64_t octets, std::size_t recipients) {
    const auto counted = std::min<std::uint64_t>(octets, std::uint64_t{1} << 40);
    return Deadline::in(replies_at_worst * timeout + Seconds(counted / slowest_rate) +
                        recipient_patience * recipients);
}

}  // namespace relais::remote
