#include "qmtp/qmtp_session.h"

#include <limits>
#include <optional>

#include "base/error.h"
#include "base/netstring.h"
#include "base/text.h"
#include "mail/address.h"
#include "queue/protocol.h"

namespace relais::qmtp {
namespace {

constexpr std::uint64_t no_budget = std::numeric_limits<std::uint64_t>::max();
// Lines in the log for refused recipients of one connection.
constexpr int most_lines = 20;
// What a client that means it never has; each costs memory until the message is judged.
constexpr std::size_t most_recipients = 65536;

bool is_possible(const std::optional<std::string>& address) {
    return address && address->find_first_of(std::string_view("\0\n", 2)) == std::string::npos;
}

Answer no(std::string text, Letter letter = Letter::permanent) {
    return {letter, std::move(text)};
}

// "553 text" as an answer.
Answer answer_of(const std::string& reply) {
    return {reply.starts_with('4') ? Letter::temporary : Letter::permanent,
            reply.substr(std::min<std::size_t>(reply.size(), 4))};
}

class QmtpSession {
  public:
    QmtpSession(Reader& in, int out, const policy::Client& client, const Terms& terms, const Judge& judge,
                const OpenSink& open_sink, const Log& log)
        : in_(in),
          strings_(in, no_budget, terms.timeout),
          out_(out),
          client_(client),
          terms_(terms),
          judge_(judge),
          open_sink_(open_sink),
          log_(log) {}

    void run() {
        while (in_.has_buffered() || in_.fill(Deadline::in(terms_.timeout))) {
            strings_.set_deadline(Deadline::in(terms_.message));
            strings_.set_budget(no_budget);
            serve_message();
        }
    }

  private:
    void serve_message() {
        Intake intake(open_sink_, client_, "QMTP", terms_.databytes);
        read_text(intake);
        const std::optional<std::string> sender = strings_.read(mail::address_limit);
        const bool sender_possible = is_possible(sender);
        read_recipients(sender_possible ? *sender : "");
        if (!sender_possible) {
            const Answer refused = no("unacceptable sender (#5.1.7)");
            answers_.assign(answers_.size(), refused);
            recipients_.clear();
        }
        const Answer result = intake.finish(sender.value_or(""), recipients_);
        std::string reply;
        for (const auto& answer : answers_) reply += (answer ? *answer : result).encoded();
        write_all(out_, reply, Deadline::in(terms_.timeout));
    }

    void read_text(Intake& intake) {
        const std::uint64_t length = strings_.read_length();
        if (length == 0) throw_permanent("a text without its first octet");
        char first = '\0';
        strings_.read_octets(1, [&](std::string_view octet) { first = octet.front(); });
        if (first != '\n' && first != '\r') throw_permanent("a text that begins with neither LF nor CR");
        LineEnds ends;
        strings_.read_octets(length - 1, [&](std::string_view piece) {
            first == '\r' ? intake.write(ends.add(piece)) : intake.write(piece);
        });
        intake.write(ends.finish());
        strings_.read_comma();
    }

    void read_recipients(const std::string& sender) {
        answers_.clear();
        recipients_.clear();
        const std::uint64_t length = strings_.read_length();
        if (length > queue::envelope_limit) throw_permanent("an envelope that is too long");
        strings_.set_budget(length);
        while (strings_.budget() > 0) {
            if (answers_.size() == most_recipients) throw_permanent("an envelope that is too long");
            answers_.push_back(judge(sender, strings_.read(mail::address_limit)));
        }
        strings_.set_budget(no_budget);
        strings_.read_comma();
    }

    // Nothing for a recipient that gets the message.
    std::optional<Answer> judge(const std::string& sender, const std::optional<std::string>& recipient) {
        if (!is_possible(recipient) || recipient->empty())
            return no("sorry, I can't handle that recipient (#5.1.3)");
        if (recipients_.size() >= terms_.recipient_limit)
            return no("sorry, too many recipients (#4.5.3)", Letter::temporary);
        policy::Verdict verdict = judge_(sender, *recipient);
        if (verdict.passes()) {
            recipients_.push_back(std::move(verdict.recipient));
            return std::nullopt;
        }
        if (++refused_ <= most_lines)
            log_("refuse from " + safe_for_log(client_.ip) + " sender <" + safe_for_log(sender) + "> rcpt <" +
                 safe_for_log(*recipient) + "> reason " + verdict.reply +
                 (verdict.why.empty() ? "" : ": " + verdict.why));
        return answer_of(verdict.reply);
    }

    Reader& in_;
    NetstringReader strings_;
    int out_;
    const policy::Client& client_;
    const Terms& terms_;
    const Judge& judge_;
    const OpenSink& open_sink_;
    const Log& log_;
    std::vector<std::optional<Answer>> answers_;
    std::vector<std::string> recipients_;
    int refused_ = 0;
};

}  // namespace

void serve_qmtp(Reader& in, int out, const policy::Client& client, const Terms& terms, const Judge& judge,
                const OpenSink& open_sink, const Log& log) {
    QmtpSession(in, out, client, terms, judge, open_sink, log).run();
}

}  // namespace relais::qmtp
