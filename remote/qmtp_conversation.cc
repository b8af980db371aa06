#include "remote/qmtp_conversation.h"

#include <algorithm>
#include <cerrno>

#include "base/io.h"
#include "base/netstring.h"
#include "mail/address.h"
#include "qmtp/protocol.h"
#include "remote/interruption.h"
#include "remote/path.h"

namespace relais::remote {
namespace {

// Of one answer; a server that says more is not answering.
constexpr std::size_t answer_limit = 64 * 1024;

[[noreturn]] void not_understood() {
    throw_errno("understand", "the server", EPROTO);
}

}  // namespace

// One message on its way.
struct QmtpConversation::Transaction {
    const std::string& sender;
    const std::vector<std::string>& recipients;
    Message& message;
    Result result;
    Deadline ends;
    bool decided = false;   // result.message holds
    bool critical = false;  // the whole package may have reached the server, and not all answers reached us
};

Conversation::Attempt QmtpConversation::send(const std::string& sender,
                                             const std::vector<std::string>& recipients, Message& message,
                                             const DsnRequest& dsn) {
    if (auto result = refuse_unsayable(sender, recipients)) return {*std::move(result), false};
    if (auto late = refuse_late(ip_, {}, dsn)) return {{{}, *std::move(late), "", false}, false};
    // Others know no second kind of bounce.
    const std::string from = sender == mail::double_bounce_sender ? "" : sender;
    Transaction transaction{
        from, recipients, message, {}, end_of_transaction(timeout_, message.size(), recipients.size())};
    transaction.result.server = server_;
    transaction.result.server_ip = ip_;
    in_step_ = false;
    try {
        send_package(transaction);
        take_answers(transaction);
        in_step_ = true;
    } catch (const Error& error) {
        if (!transaction.decided)
            transaction.result.message =
                connection_lost(ip_, error, !transaction.critical, transaction.critical);
    }
    return {std::move(transaction.result), !transaction.critical && !transaction.decided};
}

// Only the last piece ends the package, and it goes to a server that has said nothing yet: what we could not
// read to its end must not be taken as whole. Throws Error.
void QmtpConversation::send_package(Transaction& transaction) {
    std::string recipients;
    for (const std::string& recipient : transaction.recipients)
        if (fits_in_path(recipient)) recipients += netstring(recipient);
    bool reading = true;
    std::string piece;
    try {
        const std::uint64_t size = transaction.message.scan().wire_size;
        // A CR before all lines says that they end with CR LF.
        piece = std::to_string(size + 1) + ":\r" + transaction.message.front();
        std::uint64_t left = size - transaction.message.front().size();
        transaction.message.read_wire([&](std::string_view octets) {
            if (octets.size() > left) throw_errno("read", "the message, which has changed", EIO);
            left -= octets.size();
            piece += octets;
            if (piece.size() < io_buffer_size) return true;
            reading = false;
            wire_.write(piece, earlier(Deadline::in(timeout_), transaction.ends));
            reading = true;
            piece.clear();
            return true;
        });
        if (left > 0) throw_errno("read", "the whole message", EPIPE);
    } catch (const Error&) {
        if (reading) {
            transaction.result.message = cannot_read_message();
            transaction.decided = true;
        }
        throw;
    }
    piece += "," + netstring(transaction.sender) + netstring(recipients);
    Interruption::point_of_no_return();
    if (!wire_.write_in_silence(piece, earlier(Deadline::in(timeout_), transaction.ends))) not_understood();
    transaction.critical = true;
}

// Throws Error.
std::string QmtpConversation::read_answer(Deadline deadline) {
    std::size_t size = 0;
    for (char octet = wire_.read_octet(deadline); octet != ':'; octet = wire_.read_octet(deadline)) {
        if (octet < '0' || octet > '9') not_understood();
        size = size * 10 + static_cast<std::size_t>(octet - '0');
        if (size > answer_limit) not_understood();
    }
    std::string answer;
    while (answer.size() < size) answer += wire_.read_octet(deadline);
    if (answer.empty() || wire_.read_octet(deadline) != ',') not_understood();
    // What ends a report, or a line of the log, is nobody's word.
    answer.erase(std::remove(answer.begin(), answer.end(), '\r'), answer.end());
    std::replace(answer.begin(), answer.end(), '\0', ' ');
    return answer;
}

// One for each recipient, in their order. Who has it when the server goes away has it; the others are tried
// again. Throws Error.
void QmtpConversation::take_answers(Transaction& transaction) {
    Reply accepted, last;
    auto& reports = transaction.result.recipients;
    // A slow server does not hold a process for each of a hundred.
    const Deadline all = Deadline::in(replies_at_worst * timeout_);
    try {
        while (reports.size() < transaction.recipients.size()) {
            if (!fits_in_path(transaction.recipients[reports.size()])) {
                reports.push_back(unsayable_recipient());
                continue;
            }
            const std::string answer = read_answer(earlier(Deadline::in(timeout_), all));
            const auto letter = static_cast<qmtp::Letter>(answer.front());
            last.text = answer.substr(1);
            if (letter == qmtp::Letter::accepted) {
                reports.push_back({send::Outcome::success, ""});
                accepted = last;
                accepted.code = 250;
            } else if (letter == qmtp::Letter::permanent || letter == qmtp::Letter::temporary) {
                reports.push_back(
                    {letter == qmtp::Letter::permanent ? send::Outcome::permanent : send::Outcome::temporary,
                     ip_ + " does not take the message.\n" + quoted(last)});
            } else {
                not_understood();
            }
        }
    } catch (const Error& error) {
        if (accepted.code == 0) throw;
        const Verdict lost = connection_lost(ip_, error, false, true);
        while (reports.size() < transaction.recipients.size())
            reports.push_back({send::Outcome::temporary, lost.text});
        decide(transaction, accepted);
        throw;
    }
    decide(transaction, accepted);
}

// The message's verdict is that of the best answer.
void QmtpConversation::decide(Transaction& transaction, const Reply& accepted) const {
    const std::string& signed_by = transaction.message.signed_by();
    const auto is_temporary = [](const send::RecipientReport& report) {
        return report.outcome == send::Outcome::temporary;
    };
    const auto& reports = transaction.result.recipients;
    transaction.decided = true;
    if (accepted.code != 0)
        transaction.result.message = {Letter::accepted,
                                      ip_ + " accepted message.\n" + quoted(accepted) +
                                          (signed_by.empty() ? "" : "Signed by: " + signed_by + "\n")};
    else
        transaction.result.message = {
            std::any_of(reports.begin(), reports.end(), is_temporary) ? Letter::temporary : Letter::permanent,
            "Giving up on " + ip_ + ".\n"};
}

}  // namespace relais::remote
