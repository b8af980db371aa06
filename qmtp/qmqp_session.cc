#include "qmtp/qmqp_session.h"

#include <limits>

#include "base/error.h"
#include "base/netstring.h"
#include "mail/address.h"
#include "queue/protocol.h"

namespace relais::qmtp {
namespace {

constexpr std::chrono::hours whole_message{1};

bool is_possible(const std::optional<std::string>& address) {
    return address && address->find_first_of(std::string_view("\0\n", 2)) == std::string::npos;
}

}  // namespace

void serve_qmqp(Reader& in, int out, const policy::Client& client, std::uint64_t databytes,
                std::chrono::seconds timeout, const OpenSink& open_sink) {
    NetstringReader strings(in, std::numeric_limits<std::uint64_t>::max(), timeout);
    strings.set_deadline(Deadline::in(whole_message));
    strings.set_budget(strings.read_length());
    Intake intake(open_sink, client, "QMQP", databytes);
    const std::uint64_t length = strings.read_length();
    strings.read_octets(length, [&](std::string_view piece) { intake.write(piece); });
    strings.read_comma();
    const std::optional<std::string> sender = strings.read(mail::address_limit);
    bool possible = is_possible(sender);
    std::vector<std::string> recipients;
    if (strings.budget() > queue::envelope_limit) throw_permanent("an envelope that is too long");
    while (strings.budget() > 0) {
        auto recipient = strings.read(mail::address_limit);
        possible = possible && is_possible(recipient) && !recipient->empty();
        if (possible) recipients.push_back(*std::move(recipient));
    }
    strings.set_budget(1);
    strings.read_comma();
    const Answer answer =
        !possible            ? Answer{Letter::permanent, "sorry, I can't accept addresses like that (#5.1.3)"}
        : recipients.empty() ? Answer{Letter::permanent, "no recipients (#5.5.4)"}
                             : intake.finish(*sender, recipients);
    write_all(out, answer.encoded(), Deadline::in(timeout));
}

}  // namespace relais::qmtp
