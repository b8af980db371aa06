#include "milter/client.h"

#include "base/error.h"
#include "base/unix_socket.h"

namespace relais::milter {
namespace {

constexpr Seconds connect_patience{10};
constexpr Seconds write_patience{60};
// Beside what qmail-milterd takes at most.
constexpr Seconds spare{20};

}  // namespace

Verdict Milters::recipient(const Facts& session, const Facts& mail, const RecipientQuestion& question) {
    if (!trouble_.empty()) return lost(trouble_);
    try {
        if (!in_transaction_) {
            // A kept connection may be to a qmail-milterd that has ended since; then there is a new one.
            if (fd_ && session != session_) fd_.reset();
            const bool kept = static_cast<bool>(fd_);
            for (bool again = kept;; again = false) try {
                    if (!fd_) {
                        fd_ = connect_unix(home_.socket("milter"), Deadline::in(connect_patience));
                        session_ = session;
                        say('S', encode_facts(session));
                    }
                    say('M', encode_facts(mail));
                    say('R', encode_recipient(question));
                    const Verdict verdict = hear(Deadline::in(recipient_patience + spare));
                    in_transaction_ = true;
                    return verdict;
                } catch (const Error&) {
                    fd_.reset();
                    if (!again) throw;
                }
        }
        say('R', encode_recipient(question));
        return hear(Deadline::in(recipient_patience + spare));
    } catch (const Error& error) {
        return lost(error.what());
    }
}

void Milters::hide(std::string_view field) {
    try {
        if (fd_) say('H', field);
    } catch (const Error& error) {
        lost(error.what());
    }
}

void Milters::write(std::string_view text) {
    try {
        for (; fd_ && !text.empty(); text.remove_prefix(std::min(text.size(), piece_limit)))
            say('T', text.substr(0, piece_limit));
    } catch (const Error& error) {
        lost(error.what());
    }
}

Verdict Milters::end() {
    if (!fd_ || !trouble_.empty()) return lost(trouble_);
    try {
        say('E', "");
        Verdict verdict = hear(Deadline::in(message_patience + spare));
        if (verdict.kind != Verdict::Kind::pass) return verdict;
        const auto frame = read_frame(fd_.get(), "N", Deadline::in(write_patience));
        auto outcome = frame ? decode_outcome(frame->body) : std::nullopt;
        if (!outcome) throw_errno("read", "what milters have made of a message", EPIPE);
        outcome_ = *std::move(outcome);
        return verdict;
    } catch (const Error& error) {
        return lost(error.what());
    }
}

bool Milters::read_text(const std::function<void(std::string_view)>& take) {
    try {
        while (const auto frame = read_frame(fd_.get(), "TZ", Deadline::in(write_patience))) {
            if (frame->kind == 'Z') return true;
            take(frame->body);
        }
    } catch (const Error& error) {
        lost(error.what());
        return false;
    }
    lost("qmail-milterd has ended");
    return false;
}

void Milters::say(char kind, std::string_view body) {
    write_frame(fd_.get(), kind, body, Deadline::in(write_patience));
}

Verdict Milters::hear(Deadline deadline) {
    const auto frame = read_frame(fd_.get(), "V", deadline);
    auto verdict = frame ? decode_verdict(frame->body) : std::nullopt;
    if (!verdict) throw_errno("read", "what milters say", frame ? EPROTO : EPIPE);
    return *std::move(verdict);
}

Verdict Milters::lost(const std::string& why) {
    fd_.reset();
    trouble_ = why;
    return {Verdict::Kind::refuse, "451 no filter can be asked, try again later (#4.3.0)", "qmail-milterd",
            why};
}

}  // namespace relais::milter
