#include "milter/conversation.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "mail/address.h"
#include "milter/macros.h"
#include "net/connect.h"

namespace relais::milter {
namespace {

constexpr std::size_t read_piece = 16384;
constexpr std::size_t addresses_limit = 8;
// Answers of one milter to one message, progress apart.
constexpr std::size_t changes_limit = 100000;

[[noreturn]] void complain(const std::string& what) {
    throw Error(Reaction::temporary, what, EPROTO);
}

std::vector<net::Endpoint> endpoints(const control::Milter& milter, net::Resolver& resolver,
                                     Deadline deadline) {
    if (const auto ip = net::canonical_address(milter.host)) return {{*ip, milter.port}};
    if (equal_ignoring_case(milter.host, "localhost") && !milter.v6_only)
        return {{"127.0.0.1", milter.port}, {"::1", milter.port}};
    if (equal_ignoring_case(milter.host, "localhost")) return {{"::1", milter.port}};
    std::vector<net::Endpoint> found;
    for (const auto type : {net::RecordType::a, net::RecordType::aaaa}) {
        if (type == net::RecordType::a && milter.v6_only) continue;
        for (const net::DnsRecord& record : resolver.ask(type, milter.host, deadline).records)
            if (found.size() < addresses_limit) found.push_back({record.text, milter.port});
    }
    if (found.empty()) complain("its host has no address in DNS");
    return found;
}

std::uint16_t port_of(const Facts& session) {
    return static_cast<std::uint16_t>(parse_number(fact(session, "port")).value_or(0));
}

}  // namespace

void Conversation::connect(Deadline deadline) {
    if (milter_.path.empty() && milter_.host.empty()) complain("its line in control/milters cannot be used");
    const Deadline patience = earlier(deadline, Deadline::in(milter_.connect));
    if (!milter_.path.empty()) {
        fd_ = connect_unix(milter_.path, patience);
        set_nonblocking(fd_.get(), true);
    } else {
        const auto left = std::chrono::milliseconds(std::max(patience.milliseconds(), 1));
        net::ConnectResult result = net::connect_any(endpoints(milter_, resolver_, patience), left);
        if (!result.fd)
            throw_errno("connect to", milter_.name,
                        result.failures.empty() ? ETIMEDOUT : result.failures.back().error_number);
        fd_ = std::move(result.fd);
    }
    negotiate(patience);
}

void Conversation::reach(Deadline deadline) {
    connect(deadline);
    quit();
}

void Conversation::negotiate(Deadline deadline) {
    send(negotiation_packet(), deadline);
    const auto agreed = decode_negotiation(read_packet(deadline));
    if (!agreed) complain("it wants what is not offered, or is no milter");
    agreed_ = *agreed;
}

std::optional<Verdict> Conversation::begin(const Facts& session, const Facts& mail, Deadline deadline) {
    stage_ = "at connect";
    if (state_ == State::aside) return std::nullopt;
    if (state_ == State::refused) return session_verdict_;
    const bool kept = state_ == State::greeted;
    id_ = fact(mail, "id");
    skip_ = false;
    const std::string_view sender = fact(mail, "sender");
    const std::string packet = path_packet(Command::mail, sender, fact(mail, "parameters"));
    for (bool again = kept;; again = false) try {
            if (state_ == State::closed) {
                connect(deadline);
                if (auto verdict = greet(session, deadline)) return verdict;
                if (state_ == State::aside) return std::nullopt;
            }
            stage_ = "at MAIL";
            state_ = State::in_mail;
            return tell(Command::mail, packet, mail_macros(mail), step::no_mail, step::mute_mail, deadline);
        } catch (const Error&) {
            // A milter ends connections that were idle for long.
            if (!again) throw;
            fd_.reset();
            state_ = State::closed;
        }
}

// CONNECT and HELO. What it says of the client holds for the session.
std::optional<Verdict> Conversation::greet(const Facts& session, Deadline deadline) {
    const std::string_view host = fact(session, "host");
    const std::string connect =
        connect_packet(host.empty() ? "unknown" : host, fact(session, "ip"), port_of(session));
    state_ = State::greeted;
    auto verdict = tell(Command::connect, connect, connect_macros(session), step::no_connect,
                        step::mute_connect, deadline);
    stage_ = "at HELO";
    const std::string_view helo = fact(session, "helo");
    if (!verdict && state_ == State::greeted && !helo.empty())
        verdict = tell(Command::helo, packet(Command::helo, std::string(helo) + '\0'), helo_macros(session),
                       step::no_helo, step::mute_helo, deadline);
    if (verdict) {
        session_verdict_ = verdict;
        quit();
        state_ = State::refused;
    }
    return verdict;
}

std::optional<Verdict> Conversation::recipient(std::string_view address, std::string_view parameters,
                                               Deadline deadline) {
    if (state_ != State::in_mail) return std::nullopt;
    stage_ = "at RCPT";
    const Macros macros = {{"i", id_},
                           {"rcpt_mailer", "smtp"},
                           {"rcpt_host", std::string(mail::split_address(address).domain)},
                           {"rcpt_addr", std::string(address)}};
    return tell(Command::rcpt, path_packet(Command::rcpt, address, parameters), macros, step::no_rcpt,
                step::mute_rcpt, deadline);
}

std::optional<Verdict> Conversation::judge(Message& message, Deadline deadline) {
    if (state_ != State::in_mail) return std::nullopt;
    stage_ = "at DATA";
    const Macros macros = {{"i", id_}};
    if (agreed_.version > 3)
        if (auto verdict = tell(Command::data, packet(Command::data, ""), macros, step::no_data,
                                step::mute_data, deadline))
            return verdict;
    if (state_ != State::in_mail) return std::nullopt;
    if (auto verdict = tell_header(message, deadline)) return verdict;
    if (state_ != State::in_mail) return std::nullopt;
    if (auto verdict = tell(Command::end_of_header, packet(Command::end_of_header, ""), macros,
                            step::no_end_of_header, step::mute_end_of_header, deadline))
        return verdict;
    if (auto verdict = tell_body(message, deadline)) return verdict;
    if (state_ != State::in_mail) return std::nullopt;
    stage_ = "at the end of the message";
    send(macros_packet(Command::end_of_body, macros) + packet(Command::end_of_body, ""), patience(deadline));
    Message changed = message;
    auto verdict = take_changes(changed, deadline);
    // Whatever it was, this transaction is over for it.
    if (state_ != State::closed) state_ = State::greeted;
    if (!verdict) message = std::move(changed);
    return verdict;
}

std::optional<Verdict> Conversation::tell_header(const Message& message, Deadline deadline) {
    stage_ = "at the header";
    if (!wants(step::no_header)) return std::nullopt;
    const Macros none;
    for (const Field& field : message.fields()) {
        if (field.hidden) continue;
        const std::string octets =
            header_packet(field.name, field.value, (agreed_.steps & step::leading_space) != 0);
        if (auto verdict = tell(Command::header, octets, none, step::no_header, step::mute_header, deadline))
            return verdict;
        if (state_ != State::in_mail) break;
    }
    return std::nullopt;
}

// With CRLF line ends, as milters know them.
std::optional<Verdict> Conversation::tell_body(const Message& message, Deadline deadline) {
    stage_ = "at the body";
    if (!wants(step::no_body)) return std::nullopt;
    Spool& body = message.body();
    std::string piece;
    for (std::uint64_t at = 0; at < body.size() && !skip_ && state_ == State::in_mail;) {
        // Half of it, for each octet may be a line end.
        const std::string_view text = body.read(at, body_piece / 2);
        at += text.size();
        piece.clear();
        for (const char c : text) {
            if (c == '\n') piece += '\r';
            piece += c;
        }
        if (auto verdict = tell(Command::body, packet(Command::body, piece), {}, step::no_body,
                                step::mute_body, deadline))
            return verdict;
    }
    return std::nullopt;
}

std::optional<Verdict> Conversation::take_changes(Message& message, Deadline deadline) {
    for (std::size_t count = 0; count < changes_limit;) {
        const Reply reply = read_reply(patience(deadline));
        if (reply.kind == Reply::Kind::progress) continue;
        ++count;
        const std::uint32_t needed = needed_action(reply.kind);
        if (needed == 0) {
            message.end_changes();
            return verdict_of(reply);
        }
        if ((agreed_.actions & needed) == 0) complain("it changes what it has not said it would");
        if (!message.apply(reply)) complain("it changes what cannot be changed so");
    }
    complain("it makes too many changes");
}

void Conversation::leave_transaction() {
    if (state_ != State::in_mail && state_ != State::done) return;
    state_ = State::greeted;
    try {
        send(packet(Command::abort, ""), patience(Deadline::never()));
    } catch (const Error&) {
        fd_.reset();
        state_ = State::closed;
    }
}

void Conversation::quit() {
    if (fd_) {
        const std::string octets = packet(Command::quit, "");
        (void)::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    fd_.reset();
    state_ = State::closed;
}

std::optional<Verdict> Conversation::tell(Command command, const std::string& octets, const Macros& macros,
                                          std::uint32_t unwanted, std::uint32_t mute, Deadline deadline) {
    if (!wants(unwanted)) return std::nullopt;
    send((macros.empty() ? "" : macros_packet(command, macros)) + octets, patience(deadline));
    if ((agreed_.steps & mute) != 0) return std::nullopt;
    for (;;) {
        const Reply reply = read_reply(patience(deadline));
        if (reply.kind == Reply::Kind::progress) continue;
        if (needed_action(reply.kind) != 0) complain("it changes a message that has not ended");
        return verdict_of(reply);
    }
}

std::optional<Verdict> Conversation::verdict_of(const Reply& reply) {
    const bool of_message = state_ == State::in_mail && stage_ != "at RCPT" && stage_ != "at MAIL";
    switch (reply.kind) {
        case Reply::Kind::go_on:
            return std::nullopt;
        case Reply::Kind::skip:
            skip_ = true;
            return std::nullopt;
        case Reply::Kind::accept:
            note_accepted();
            return std::nullopt;
        case Reply::Kind::reject:
            return refusal(of_message ? "554 message refused by a filter (#5.7.1)"
                                      : "550 refused by a filter (#5.7.1)");
        case Reply::Kind::tempfail:
            return refusal("451 a filter asks you to try again later (#4.7.1)");
        case Reply::Kind::code:
            return refusal(reply.text);
        case Reply::Kind::shutdown:
            return refusal("421 a filter asks you to come back later (#4.7.0)");
        case Reply::Kind::discard:
            return Verdict{Verdict::Kind::discard, "", milter_.name, stage_};
        default:
            complain("it answers what makes no sense here");
    }
}

void Conversation::note_accepted() {
    if (state_ == State::greeted) {
        quit();
        state_ = State::aside;
    } else {
        state_ = State::done;
    }
}

void Conversation::send(std::string_view octets, Deadline deadline) {
    try {
        write_all(fd_.get(), octets, deadline);
    } catch (const Error&) {
        fd_.reset();
        state_ = State::closed;
        throw;
    }
}

std::string Conversation::read_packet(Deadline deadline) {
    try {
        std::array<char, length_size> head{};
        if (!read_exactly(fd_.get(), head, deadline))
            throw_errno("read an answer of", milter_.name, ECONNRESET);
        const auto length = packet_length({head.data(), head.size()});
        if (!length) complain("it says an impossible length");
        // No more memory than has come.
        std::string packet;
        while (packet.size() < *length) {
            const std::size_t at = packet.size();
            packet.resize(std::min(*length, at + read_piece));
            const std::size_t count = read_some(fd_.get(), std::span(packet).subspan(at), deadline);
            if (count == 0) throw_errno("read an answer of", milter_.name, ECONNRESET);
            packet.resize(at + count);
        }
        return packet;
    } catch (const Error&) {
        fd_.reset();
        state_ = State::closed;
        throw;
    }
}

Reply Conversation::read_reply(Deadline deadline) {
    auto reply = decode_reply(read_packet(deadline));
    if (!reply) complain("it answers what is no answer");
    return *std::move(reply);
}

}  // namespace relais::milter
