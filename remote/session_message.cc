// How a message goes through a session: MAIL, RCPT, DATA and what their answers mean.
#include <algorithm>

#include "base/error.h"
#include "base/time.h"
#include "mail/address.h"
#include "mail/utf8_address.h"
#include "remote/data.h"
#include "remote/interruption.h"
#include "remote/path.h"
#include "remote/requiretls.h"
#include "remote/session.h"

namespace relais::remote {

// One message on its way.
struct Session::Transaction {
    const std::string& sender;
    const std::vector<std::string>& recipients;
    Message& message;
    const DsnRequest& dsn;
    std::string mail_command;
    Result result;
    bool mail_answered = false;
    bool decided = false;    // result.message holds
    bool accepted = false;   // at least one recipient
    bool critical = false;   // the final dot may have reached the server, and its answer did not reach us
    bool data_open = false;  // the server waits for data
    bool sending = false;    // the message is on its way

    void decide(Verdict verdict) {
        if (!decided) result.message = std::move(verdict);
        decided = true;
    }
};

std::string Session::mail_command(const std::string& sender, bool smtp_utf8, Message& message,
                                  const DsnRequest& dsn) const {
    // Others know no second kind of bounce, and refuse its sender.
    std::string line = "MAIL FROM:" + (sender == mail::double_bounce_sender ? "<>" : path_of(sender));
    if (extensions_.size) line += " SIZE=" + std::to_string(message.scan().wire_size);
    if (extensions_.eight_bit_mime && message.scan().eight_bit) line += " BODY=8BITMIME";
    if (smtp_utf8) line += " SMTPUTF8";
    if (extensions_.deliver_by && dsn.by) line += " BY=" + mail::by_value(*dsn.by, now_seconds());
    if (extensions_.mt_priority && dsn.priority != 0) line += " MT-PRIORITY=" + std::to_string(dsn.priority);
    if (dsn.requiretls && extensions_.requiretls) line += " REQUIRETLS";
    if (!extensions_.dsn) return line;
    if (dsn.ret != mail::Ret::unsaid) line += dsn.ret == mail::Ret::full ? " RET=FULL" : " RET=HDRS";
    if (!dsn.envid.empty()) line += " ENVID=" + dsn.envid;
    return line;
}

std::string Session::rcpt_command(const Transaction& transaction, std::size_t index) const {
    std::string line = "RCPT TO:" + path_of(transaction.recipients[index]);
    if (!extensions_.dsn || index >= transaction.dsn.recipients.size()) return line;
    const mail::RecipientOptions& options = transaction.dsn.recipients[index];
    if (options.notify.said()) line += " NOTIFY=" + mail::notify_text(options.notify);
    if (!options.orcpt.empty()) line += " ORCPT=" + options.orcpt;
    return line;
}

Session::Attempt Session::send(const std::string& sender, const std::vector<std::string>& recipients,
                               Message& message, const DsnRequest& dsn) {
    if (auto result = refuse_unsayable(sender, recipients)) return {*std::move(result), false};
    if (auto result = refuse_all(recipients)) return {*std::move(result), false};
    Transaction transaction{sender, recipients, message, dsn, {}, {}};
    transaction.result.dsn = extensions_.dsn;
    // A server of LMTP delivers it now.
    transaction.result.deliver_by = dsn.by && (extensions_.deliver_by || settings_.lmtp);
    transaction.result.server = settings_.server_name;
    transaction.result.server_ip = ip_;
    transaction.result.tls = wire_.tls() != nullptr ? protection_ + promise() : "";
    try {
        if (auto refusal = refuse_unsent(message, sender, dsn))
            return {{{}, *std::move(refusal), "", false}, false};
        // Reads the message if it has to, before anything is said.
        const bool smtp_utf8 =
            extensions_.smtp_utf8 &&
            (needs_smtp_utf8(sender) || std::any_of(recipients.begin(), recipients.end(), needs_smtp_utf8) ||
             (dsn.smtputf8 && message.scan().eight_bit_header));
        transaction.mail_command = mail_command(sender, smtp_utf8, message, dsn);
    } catch (const Error&) {
        return {{{}, cannot_read_message(), "", false}, false};
    }
    in_step_ = false;
    end_ = end_of_transaction(settings_.timeout, message.size(), recipients.size());
    try {
        if (extensions_.pipelining)
            send_pipelined(transaction);
        else
            send_stepwise(transaction);
        in_step_ = true;
    } catch (const Error& error) {
        transaction.decide(connection_lost(ip_, error, transaction.sending, transaction.critical));
    }
    return {std::move(transaction.result), !transaction.mail_answered};
}

void Session::send_pipelined(Transaction& transaction) {
    std::string group = std::exchange(reset_needed_, false) ? "RSET\r\n" : "";
    const bool reset = !group.empty();
    group += transaction.mail_command + "\r\n";
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i)
        if (!refuse_unasked(transaction.recipients[i])) group += rcpt_command(transaction, i) + "\r\n";
    require_silence();
    wire_.write(group + "DATA\r\n", deadline());

    if (reset) wire_.read_reply(deadline());
    const bool mail_accepted = take_mail_reply(transaction, wire_.read_reply(deadline()));
    for (const std::string& recipient : transaction.recipients) {
        auto refused = refuse_unasked(recipient);
        const Reply reply = refused ? Reply{} : wire_.read_reply(deadline());
        if (mail_accepted) take_recipient_reply(transaction, std::move(refused), reply);
    }
    if (mail_accepted && !transaction.accepted)
        transaction.decide({Letter::permanent, "Giving up on " + ip_ + ".\n"});
    take_data_reply(transaction, wire_.read_reply(deadline()));
    if (transaction.data_open) send_data(transaction);
}

void Session::send_stepwise(Transaction& transaction) {
    if (std::exchange(reset_needed_, false)) command("RSET");
    if (!take_mail_reply(transaction, command(transaction.mail_command))) return;
    for (std::size_t i = 0; i < transaction.recipients.size(); ++i) {
        auto refused = refuse_unasked(transaction.recipients[i]);
        const Reply reply = refused ? Reply{} : command(rcpt_command(transaction, i));
        take_recipient_reply(transaction, std::move(refused), reply);
    }
    if (!transaction.accepted) {
        reset_needed_ = true;
        transaction.decide({Letter::permanent, "Giving up on " + ip_ + ".\n"});
        return;
    }
    take_data_reply(transaction, command("DATA"));
    if (transaction.data_open) send_data(transaction);
}

bool Session::take_mail_reply(Transaction& transaction, const Reply& reply) {
    // A server that closes in good order, and no answer to this command: as if it had been gone already.
    transaction.mail_answered = reply.code != 421;
    if (reply.positive()) return true;
    transaction.decide(reply.code == 0 ? not_understood(reply, false)
                                       : verdict(reply.permanent() ? Letter::permanent : Letter::temporary,
                                                 " but sender was rejected", reply));
    if (reply.code == 0 || reply.code == 421) throw_errno("understand", "the server", EPROTO);
    return false;
}

// refused: it was not asked about this one.
void Session::take_recipient_reply(Transaction& transaction, std::optional<send::RecipientReport> refused,
                                   const Reply& reply) {
    if (refused) {
        transaction.result.recipients.push_back(*std::move(refused));
        return;
    }
    // A reply that is none says nothing about the recipient, nor do those that would follow.
    if (reply.code == 0 || reply.code == 421) {
        transaction.decide(reply.code == 421 ? verdict(Letter::temporary, " but connection died", reply)
                                             : not_understood(reply, false));
        throw_errno("understand", "the server", EPROTO);
    }
    if (reply.positive()) {
        transaction.result.recipients.push_back({send::Outcome::success, ""});
        transaction.accepted = true;
        return;
    }
    transaction.result.recipients.push_back(
        {reply.permanent() ? send::Outcome::permanent : send::Outcome::temporary,
         ip_ + " does not like recipient.\n" + quoted(reply), "", diagnostic_of(reply)});
}

void Session::take_data_reply(Transaction& transaction, const Reply& reply) {
    transaction.data_open = reply.intermediate();
    if (transaction.data_open) return;
    transaction.decide(reply.code == 0 ? not_understood(reply, false)
                                       : verdict(reply.permanent() ? Letter::permanent : Letter::temporary,
                                                 " failed on DATA command", reply));
    if (reply.code < 400) throw_errno("understand", "the server", EPROTO);
    reset_needed_ = true;
}

void Session::send_data(Transaction& transaction) {
    // Nobody is to get it: pipelined before we could know, and the server waits. An empty message to nobody
    // ends it.
    if (transaction.decided) {
        wire_.write(final_dot, deadline());
        // LMTP has a reply for each recipient that was accepted, and there is none.
        // RFC 2033 knows no such 354: what the server says now is no answer to anything.
        if (settings_.lmtp) throw_errno("understand", "the server", EPROTO);
        wire_.read_reply(deadline());
        return;
    }
    bool reading = true;
    transaction.sending = true;
    try {
        transaction.message.encode([&](std::string_view piece, bool last) {
            reading = false;
            if (last) Interruption::point_of_no_return();
            if (!wire_.write_in_silence(piece, deadline())) throw_errno("talk to", "the server", EPROTO);
            reading = true;
            transaction.critical = last;
        });
    } catch (const Error&) {
        // Without its final dot the server must forget the message.
        if (reading) return transaction.decide(cannot_read_message()), throw;
        const Reply words = wire_.last_words();
        if (words.code >= 400)
            take_final_reply(transaction, words);
        else if (words.code > 0)
            transaction.decide(unusable("it answered before it had the whole message", "4.5.0", words));
        throw;
    }
    // Whatever time is over: who hangs up now may have it sent twice.
    transaction.sending = false;
    if (settings_.lmtp) return take_final_replies(transaction);
    const Reply reply = wire_.read_reply(Deadline::in(settings_.timeout));
    if (reply.code == 0) {
        transaction.decide(not_understood(reply, true));
        throw_errno("understand", "the server", EPROTO);
    }
    take_final_reply(transaction, reply);
}

void Session::take_final_reply(Transaction& transaction, const Reply& reply) {
    if (reply.positive())
        transaction.decide({Letter::accepted,
                            verdict(Letter::accepted, " accepted message", reply).text +
                                protection(transaction.message.signed_by()),
                            diagnostic_of(reply)});
    else
        transaction.decide(verdict(reply.permanent() ? Letter::permanent : Letter::temporary,
                                   " failed after I sent the message", reply));
}

// LMTP: one reply for each recipient that RCPT has accepted, in their order. Who has it when the server goes
// away has it; the others are tried again.
void Session::take_final_replies(Transaction& transaction) {
    std::size_t stored = 0;
    Reply last, accepted;
    // A slow server does not hold a process for each of a hundred.
    const Deadline all = Deadline::in(replies_at_worst * settings_.timeout);
    auto& recipients = transaction.result.recipients;
    for (send::RecipientReport& recipient : recipients) {
        if (recipient.outcome != send::Outcome::success) continue;
        Reply reply;
        try {
            reply = wire_.read_reply(earlier(Deadline::in(settings_.timeout), all));
            if (reply.code == 0 || reply.intermediate()) throw_errno("understand", "the server", EPROTO);
        } catch (const Error& error) {
            const Verdict lost =
                reply.code == 0 ? connection_lost(ip_, error, false, true) : not_understood(reply, true);
            bool after = false;
            for (send::RecipientReport& other : recipients) {
                after = after || &other == &recipient;
                if (after && other.outcome == send::Outcome::success)
                    other = {send::Outcome::temporary, lost.text, "", lost.diagnostic};
            }
            if (stored > 0) take_final_reply(transaction, accepted);
            throw;
        }
        last = reply;
        if (reply.positive()) {
            ++stored;
            accepted = reply;
            continue;
        }
        recipient = {reply.permanent() ? send::Outcome::permanent : send::Outcome::temporary,
                     ip_ + " does not store the message.\n" + quoted(reply), "", diagnostic_of(reply)};
    }
    take_final_reply(transaction, stored > 0 ? accepted : last);
}

// What the message has asked of TLS, behind how it is encrypted.
std::string Session::promise() const {
    if (settings_.tls_not_required) return ", TLS-Required: No";
    return settings_.tls.by_message && extensions_.requiretls ? ", REQUIRETLS" : "";
}

// What stands behind the server's words: how the message went. Nothing for one that went in the clear and
// unsigned, as ever.
std::string Session::protection(const std::string& signed_by) const {
    std::string text;
    text = wire_.tls() != nullptr ? "Encrypted: " + protection_ + promise() : settings_.clear_words;
    if (wire_.tls() == nullptr && settings_.tls_not_required) text = "Not encrypted: TLS-Required: No";
    if (!login_.empty()) text += (text.empty() ? "Authenticated: " : ", authenticated: ") + login_;
    if (!signed_by.empty()) text += (text.empty() ? "Signed by: " : ", signed by: ") + signed_by;
    return text.empty() ? "" : text + "\n";
}

}  // namespace relais::remote
