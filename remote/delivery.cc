#include "remote/delivery.h"

#include <algorithm>

#include "base/error.h"
#include "base/idna.h"
#include "base/time.h"
#include "remote/path.h"
#include "remote/requiretls.h"

namespace relais::remote {
namespace {

// A domain with many dead servers must not hold this process for hours: the next try begins with the best
// ones again.
constexpr std::size_t server_limit = 10;
// A stranger who names many servers that let us wait must not have a place for long; an honest domain whose
// best servers are dead is tried again, and then those are resting (remote/tcpto.h).
constexpr std::size_t address_limit = 5;
constexpr std::size_t silence_limit = 2;
// RFC 5321, 4.5.3.2.1, and where others need the place.
constexpr Seconds greeting_patience{300};
constexpr Seconds crowded_patience{60};
// For everything before MAIL. After a silent server another one has a minute whatever is left.
constexpr Seconds opening_patience{300};
// DNS may have changed since; a connection does not live for ever.
constexpr std::chrono::minutes connection_age_limit{5};

// For qmail-keyd, which answers within milliseconds.
constexpr Seconds signing_patience{20};

DsnRequest dsn_of(const Envelope& envelope) {
    return {envelope.options.ret,       envelope.options.envid,      envelope.recipient_options,
            envelope.options.smtputf8,  envelope.options.deliver_by, envelope.options.priority,
            envelope.options.requiretls};
}

}  // namespace

Result Delivery::deliver(const Envelope& envelope, Message& message) {
    Result result;
    try {
        result = try_deliver(envelope, message);
    } catch (const Error& error) {
        result.message = system_failure(error.what());
        conversation_.reset();
    }
    return result;
}

// False if there is none.
bool Delivery::give_password(Route& route, const Secret* password) {
    if (password == nullptr || password->size() == 0) return false;
    auto credentials = std::make_shared<Credentials>();
    credentials->user = route.credentials->user;
    credentials->password = Secret(password->view());
    route.credentials = std::move(credentials);
    return true;
}

Result Delivery::try_deliver(Envelope envelope, Message& message) {
    // "example.org." and "example.org" are one domain, in every control file.
    if (envelope.host.ends_with('.')) envelope.host.pop_back();
    envelope.host = dns_spelling(envelope.host);
    try {
        settings_ = &files_.current();
    } catch (const Error& error) {
        return {{}, cannot_read_control(error.what()), "", false};
    }
    if (auto refused = refuse_unsayable(envelope.sender, envelope.recipients)) return *std::move(refused);
    most_messages_ = settings_->messages;
    if (envelope.connection_messages > 0)
        most_messages_ = std::min(most_messages_, envelope.connection_messages);
    wish_ = wish_of(envelope, message);
    std::string key = route_key(*settings_, envelope.sender, envelope.host);
    if (wish_ == TlsWish::required) key += " requiretls";
    if (wish_ == TlsWish::verified) key += " verified";
    if (wish_ == TlsWish::not_required) key += " tls not required";
    if (!may_reuse(key)) close();
    if (conversation_)
        if (auto result = deliver_on_open(envelope, message)) return *std::move(result);
    key_ = key;
    return deliver_on_fresh(envelope, message);
}

bool Delivery::may_reuse(const std::string& key) const {
    return conversation_ && key == key_ && conversation_->usable() && messages_ < most_messages_ &&
           Clock::now() - connected_at_ < connection_age_limit;
}

// A message is signed when a server is there to take it, once for all of them.
Conversation::Attempt Delivery::hand_over(const Envelope& envelope, Message& message) {
    try {
        if (message.signed_by().empty())
            signer_.sign(message, {envelope.options.submitter, envelope.signing},
                         Deadline::in(signing_patience));
    } catch (const Error& error) {
        return {{{}, cannot_sign(error.what()), "", false}, false};
    }
    return conversation_->send(envelope.sender, envelope.recipients, message, dsn_of(envelope));
}

// Nothing if the server turned out to have gone before it took anything: a fresh connection, silently.
std::optional<Result> Delivery::deliver_on_open(const Envelope& envelope, Message& message) {
    Conversation::Attempt attempt = hand_over(envelope, message);
    ++messages_;
    if (attempt.nothing_taken && !conversation_->usable()) {
        conversation_.reset();
        return std::nullopt;
    }
    attempt.result.mx_group = group_;
    keep_or_close();
    return std::move(attempt.result);
}

Result Delivery::deliver_on_fresh(const Envelope& envelope, Message& message) {
    const Source& source = settings_->sources.choose(envelope.sender, envelope.host);
    if (!source.usable)
        return {{}, cannot_read_control(source.line + " cannot be used: " + source.complaint), "", false};
    Way way{
        envelope.host, route_of(*settings_, envelope.sender, envelope.host), source, {source.v4, source.v6}};
    if (way.route.credentials && way.route.usable && !give_password(way.route, envelope.password))
        return {{}, cannot_read_control(way.route.line + " has changed"), "", false};
    if (!way.route.socket.empty()) return deliver_to_socket(envelope, way, message);
    ServerSearch search(resolver_, envelope.host, way.route,
                        address_policy(files_, *settings_, local_addresses_, envelope.host, way.route),
                        settings_->timeout_dns);
    std::optional<Verdict> last;  // what the last server said that would not talk to us
    bool unreached = false;       // a server said nothing at all
    std::size_t tried = 0;
    bool all_asked = false;
    hopeless_ = false;
    failures_.clear();
    resting_.clear();
    domain_policy_.reset();
    effort_ = {address_limit, silence_limit, envelope.crowded ? crowded_patience : greeting_patience,
               Deadline::in(opening_patience)};
    while (tried < server_limit && !hopeless_ && !effort_.over()) {
        const auto server = search.next();
        all_asked = !server;
        if (all_asked) break;
        ++tried;
        std::optional<Verdict> said;
        if (!open_session(search, *server, way, said)) {
            unreached = unreached || !said;
            if (said) keep(last, *std::move(said));
            continue;
        }
        // What goes by its sender says nothing of where others' mail goes.
        return first_delivery(way.route.of_sender ? "" : search.group(), envelope, message);
    }
    if (tried == 0) return {{}, search.refusal(), search.group(), false};
    // A server that could not be reached, or of which DNS did not tell, may have what the others lack.
    if (last && last->letter == Letter::permanent) {
        if (search.none().reason == NoServer::dns_failed) last = dns_failed();
        if (unreached || !failures_.empty() || !resting_.empty() ||
            (wish_ == TlsWish::required && !all_asked))
            last.reset();
    }
    const bool final = last && last->letter == Letter::permanent;
    return {{},
            last ? *last : no_connection(failures_, resting_),
            way.route.of_sender ? "" : search.group(),
            !final && !way.route.of_sender};
}

Delivery::TlsWish Delivery::wish_of(const Envelope& envelope, const Message& message) const {
    // RFC 8689, 4.1: the field does not count beside the parameter.
    if (envelope.options.requiretls)
        return is_report(envelope.sender) ? TlsWish::verified : TlsWish::required;
    return settings_->requiretls > 0 && message.needs_no_tls() ? TlsWish::not_required : TlsWish::none;
}

void Delivery::keep(std::optional<Verdict>& last, Verdict verdict) {
    if (!last || last->letter == Letter::permanent || verdict.letter != Letter::permanent)
        last = std::move(verdict);
}

Result Delivery::deliver_to_socket(const Envelope& envelope, const Way& way, Message& message) {
    const std::string& path = way.route.socket;
    const std::string group = "lmtp:" + path;
    effort_ = {1, 1, greeting_patience, Deadline::in(opening_patience)};
    std::optional<Verdict> refused;
    if (!way.route.usable)
        refused = cannot_read_control(way.route.line + " cannot be used: " + way.route.complaint);
    else
        refused = open_socket(path);
    if (refused) return {{}, *std::move(refused), group, way.route.usable};
    return first_delivery(group, envelope, message);
}

Result Delivery::first_delivery(std::string group, const Envelope& envelope, Message& message) {
    group_ = std::move(group);
    messages_ = 1;
    connected_at_ = Clock::now();
    Result result = hand_over(envelope, message).result;
    result.mx_group = group_;
    keep_or_close();
    return result;
}

// Its time is over: the last chance of another one begins now.
void Delivery::note_silence(const std::string& ip) {
    const Deadline least = Deadline::in(crowded_patience);
    if (effort_.ends.at() < least.at()) effort_.ends = least;
    --effort_.silences;
    // Who was given less than the usual time may only be slow.
    if (effort_.greeting == greeting_patience) timeouts_.note_timeout(ip, now_seconds());
}

void Delivery::keep_or_close() {
    if (!conversation_->usable() || messages_ >= most_messages_) close();
}

void Delivery::close() {
    if (conversation_) conversation_->quit();
    conversation_.reset();
}

}  // namespace relais::remote
