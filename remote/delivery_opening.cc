// Delivery: how a session with a server is opened, from its addresses to its greeting and login.
#include "remote/delivery.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/idna.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "remote/path.h"
#include "remote/qmtp_conversation.h"
#include "remote/requiretls.h"
#include "remote/session.h"

namespace relais::remote {
namespace {

// How long the addresses of one family are tried before those of the other start beside them.
constexpr std::chrono::milliseconds head_start{300};
// How long a process waits for another that finds out whether a login is right.
constexpr Seconds login_patience{30};

// How many addresses were tried in earnest: where there is no way at all costs nothing.
std::size_t cost_of(const net::ConnectResult& connected) {
    const auto costs = [](const net::ConnectFailure& failure) {
        return failure.error_number != ENETUNREACH && failure.error_number != EAFNOSUPPORT;
    };
    const auto failed = std::count_if(connected.failures.begin(), connected.failures.end(), costs);
    return static_cast<std::size_t>(failed) + (connected.fd ? 1 : 0);
}

// Under which a server is remembered that lets its clients hang in the handshake.
std::string tls_with(const std::string& ip) {
    return "tls " + ip;
}

std::unique_ptr<Conversation> converse(Fd connection, const std::string& ip, const SessionSettings& terms,
                                       Protocol protocol) {
    if (protocol == Protocol::qmtp)
        return std::make_unique<QmtpConversation>(std::move(connection), ip, terms.server_name,
                                                  terms.timeout);
    return std::make_unique<Session>(std::move(connection), ip, terms);
}

}  // namespace

// Tries the server's addresses until one of them greets us properly.
bool Delivery::open_session(ServerSearch& search, const Server& server, const Way& way,
                            std::optional<Verdict>& last) {
    SessionSettings terms{
        settings_->helo_host, settings_->timeout_remote, settings_->strict_8bit, &encryption_, {},
        server.name,          way.route.credentials};
    terms.lmtp = way.route.protocol == Protocol::lmtp;
    if (!way.source.helo.empty()) terms.helo_host = way.source.helo;
    if (!decide_tls(search, server, way, terms, last)) return false;
    if (!terms.credentials) return open_session_by(server, way, terms, last);

    const std::string login = server.name + ":" + std::to_string(way.route.port) + " " +
                              terms.credentials->user + " " + std::to_string(settings_->digest);
    if (!may_log_in(login, server, way.route, terms, last)) return false;
    login_refused_ = false;
    const bool opened = open_session_by(server, way, terms, last);
    note_login(login, opened);
    return opened;
}

bool Delivery::decide_tls(ServerSearch& search, const Server& server, const Way& way, SessionSettings& terms,
                          std::optional<Verdict>& last) {
    terms.tls = tls_policy_of(*settings_, way.route, way.domain, server.name);
    if (!terms.tls.usable) {
        last = cannot_read_control("control/tlsdestinations cannot be used: " + terms.tls.line + ": " +
                                   terms.tls.complaint);
        return false;
    }
    if (way.route.protocol == Protocol::qmtp) return may_go_in_clear(server, terms.tls, last);
    if (wish_ == TlsWish::not_required) {
        terms.tls_not_required = true;
        if (settings_->requiretls > 1 && !terms.credentials) terms.tls = without_requirement(terms.tls);
        return true;
    }
    if (settings_->dane && leaves_to_dns(terms.tls)) {
        const Dane found = search.dane(server);
        if (found.state == Dane::State::unknown) {
            last = dane_unknown(found);
            return false;
        }
        terms.tls = with_dane(terms.tls, found);
    }
    if (!hold_to_domain_policy(server, way, terms.tls, last)) return false;
    if (wish_ == TlsWish::none) return true;
    return hold_to_wish(search, server, way, terms.tls, last);
}

bool Delivery::may_go_in_clear(const Server& server, TlsPolicy& policy, std::optional<Verdict>& last) const {
    const bool asked = wish_ == TlsWish::required || wish_ == TlsWish::verified;
    const bool held = policy.required() && wish_ != TlsWish::not_required;
    if (asked || held) {
        keep(last, no_tls_in_qmtp(server.name, asked));
        return false;
    }
    policy = {};
    policy.level = TlsLevel::none;
    return true;
}

bool Delivery::hold_to_wish(const ServerSearch& search, const Server& server, const Way& way,
                            TlsPolicy& policy, std::optional<Verdict>& last) {
    // What is stored on this host, by LMTP, has arrived.
    const auto is_loopback = [](const std::string& address) { return kind_of(address) == AddressKind::ours; };
    if (way.route.protocol == Protocol::lmtp &&
        std::all_of(server.addresses.begin(), server.addresses.end(), is_loopback))
        return true;
    if (wish_ == TlsWish::verified) {
        policy = with_requiretls(policy, server.name, settings_->mtasts_authorities);
        policy.by_message = false;
        return true;
    }
    // A domain without MX records, or that is its own, has the name that the sender meant.
    const bool named = search.chosen_securely() || names_the_server(policy) ||
                       comparable(server.name) == comparable(way.domain);
    if (!named && !ask_domain_policy(way, last)) return false;
    if (!named && !vouches_for(*domain_policy_, server.name)) {
        keep(last, nobody_vouches(way.domain, server.name));
        return false;
    }
    policy = with_requiretls(policy, server.name, settings_->mtasts_authorities);
    return true;
}

// A server of LMTP on this machine: neither DNS nor TLS has a word in it. Nothing if it greeted us.
std::optional<Verdict> Delivery::open_socket(const std::string& path) {
    SessionSettings terms{settings_->helo_host, settings_->timeout_remote, settings_->strict_8bit};
    terms.tls.level = TlsLevel::none;
    terms.server_name = path;
    terms.greeting = effort_.greeting;
    terms.opening_ends = effort_.ends;
    terms.lmtp = true;
    try {
        Fd connection = connect_unix(path, Deadline::in(settings_->timeout_connect));
        // As every other one: what is looked at without waiting must not wait.
        set_nonblocking(connection.get(), true);
        auto session = std::make_unique<Session>(std::move(connection), path, terms);
        Conversation::Opening opening = session->open();
        if (opening.refused) return std::move(opening.refused);
        conversation_ = std::move(session);
        return std::nullopt;
    } catch (const Error& error) {
        return no_lmtp_server(path, error.number());
    }
}

// False if the domain's policy does not admit the server, or is not known.
bool Delivery::hold_to_domain_policy(const Server& server, const Way& way, TlsPolicy& policy,
                                     std::optional<Verdict>& last) {
    // Where the administrator sends it elsewhere it is no longer the domain's word.
    if (!settings_->mtasts || !way.route.host.empty() || !policy.tlsa_name.empty() || !leaves_to_dns(policy))
        return true;
    if (!ask_domain_policy(way, last)) return false;
    if (!is_enforced(*domain_policy_)) return true;
    if (!sts::admits(domain_policy_->policy, server.name)) {
        last = not_admitted(way.domain, server.name);
        return false;
    }
    policy = with_domain_policy(policy, way.domain, server.name, settings_->mtasts_authorities);
    return true;
}

// False if it is not known. Without control/mtasts, and where the administrator sends the mail, there is
// none.
bool Delivery::ask_domain_policy(const Way& way, std::optional<Verdict>& last) {
    if (!settings_->mtasts || !way.route.host.empty()) domain_policy_ = sts::Found{sts::Found::State::none};
    if (!domain_policy_)
        domain_policy_ = find_domain_policy(resolver_, policies_, way.domain, settings_->timeout_dns);
    if (domain_policy_->state != sts::Found::State::unknown) return true;
    last = domain_policy_unknown(way.domain);
    hopeless_ = true;
    return false;
}

// False if the server has refused this login lately. Where nobody knows whether it is right, one process
// finds out and the others wait for it, for a while.
bool Delivery::may_log_in(const std::string& login, const Server& server, const Route& route,
                          SessionSettings& terms, std::optional<Verdict>& last) {
    const Deadline patience = Deadline::in(login_patience);
    for (;;) {
        const std::int64_t now = now_seconds();
        const LoginMemory::Admission admission = memory_.logins().admit(login, now);
        terms.first_mechanism = admission.first;
        if (admission.state == LoginMemory::State::free) return true;
        if (admission.state == LoginMemory::State::resting) {
            last = login_rests(server.name, route.file(), now - admission.refused_at,
                               admission.rests_until - now);
            hopeless_ = true;
            return false;
        }
        if (patience.passed()) return true;
        ::poll(nullptr, 0, 50);
    }
}

void Delivery::note_login(const std::string& login, bool opened) {
    if (opened)
        memory_.logins().note_accepted(login, login_second_choice_, now_seconds());
    else if (login_refused_)
        memory_.logins().note_refused(login, now_seconds());
    else
        memory_.logins().note_nothing(login);
}

std::vector<net::Endpoint> Delivery::endpoints(const Server& server, std::uint16_t port) {
    std::vector<net::Endpoint> result;
    for (const std::string& address : server.addresses)
        (timeouts_.is_resting(address, now_seconds()) ? resting_ : result).push_back({address, port});
    // The family that answered last time goes first.
    if (result.size() > 1)
        std::stable_partition(result.begin(), result.end(), [this](const net::Endpoint& endpoint) {
            return !memory_.is_slow(endpoint.ip, now_seconds());
        });
    return result;
}

// As many as may still be tried, of both families in turn, so that one without a way does not use up what the
// other could reach.
std::vector<net::Endpoint> Delivery::take_some(std::vector<net::Endpoint>& left) const {
    std::vector<net::Endpoint> some;
    while (some.size() < effort_.addresses && !left.empty()) {
        auto next = left.begin();
        if (!some.empty()) {
            const auto other = [&](const net::Endpoint& each) { return each.is_v6() != some.back().is_v6(); };
            next = std::find_if(left.begin(), left.end(), other);
            if (next == left.end()) next = left.begin();
        }
        some.push_back(std::move(*next));
        left.erase(next);
    }
    return some;
}

void Delivery::note(const net::ConnectResult& connected) {
    for (const net::ConnectFailure& failure : connected.failures)
        if (failure.error_number == ETIMEDOUT || failure.error_number == EHOSTUNREACH)
            timeouts_.note_timeout(failure.endpoint.ip, now_seconds());
    failures_.insert(failures_.end(), connected.failures.begin(), connected.failures.end());
    if (connected.slow) memory_.note_slow(connected.slow->ip, now_seconds());
    if (connected.fd) timeouts_.note_success(connected.endpoint.ip);
}

bool Delivery::open_session_by(const Server& server, const Way& way, const SessionSettings& terms,
                               std::optional<Verdict>& last) {
    std::vector<net::Endpoint> left = endpoints(server, way.route.port);
    while (!left.empty() && !hopeless_ && !effort_.over()) {
        net::ConnectResult connected =
            net::connect_any(take_some(left), settings_->timeout_connect, head_start, way.from);
        note(connected);
        effort_.addresses -= cost_of(connected);
        for (const net::ConnectFailure& failure : connected.failures)
            if (failure.of_local_address)
                last = no_local_address(failure.endpoint.is_v6() ? way.from.v6 : way.from.v4);
        left.insert(left.begin(), connected.untried.begin(), connected.untried.end());
        if (!connected.fd) continue;
        if (open_session_at(std::move(connected), terms, way, last)) return true;
        // Its other addresses promise no more: another server may.
        if (wish_ == TlsWish::required && last && last->letter == Letter::permanent) return false;
    }
    return false;
}

// Where neither the administrator nor the domain has a word on it.
TlsHold Delivery::hold_to_memory(SessionSettings& terms, std::uint16_t port) const {
    if (terms.tls_not_required) return TlsHold::none;
    const bool free = terms.tls.level == TlsLevel::may && !terms.tls.named && !terms.tls.implicit;
    if (settings_->tls_memory.count() == 0 || !free) return TlsHold::none;
    const auto known = memory_.servers().find(memory_name(terms.server_name, port));
    if (!known) return TlsHold::none;
    const TlsHold hold = tls_hold(*known, settings_->tls_memory, now_seconds());
    if (hold == TlsHold::held) {
        terms.tls.level = TlsLevel::encrypt;
        terms.tls.encrypted_at = date_822(known->encrypted);
    } else if (hold == TlsHold::given_up) {
        terms.clear_words = "Not encrypted: TLS has failed since " + date_822(known->failing_since) +
                            ", the server was encrypted " + date_822(known->encrypted);
    }
    return hold;
}

bool Delivery::open_session_at(net::ConnectResult connected, const SessionSettings& terms, const Way& way,
                               std::optional<Verdict>& last) {
    const net::Endpoint endpoint = connected.endpoint;
    SessionSettings here = terms;
    here.greeting = effort_.greeting;
    here.opening_ends = effort_.ends;
    const TlsHold hold = hold_to_memory(here, endpoint.port);
    if (!here.tls.required() && !here.tls.implicit && memory_.is_slow(tls_with(endpoint.ip), now_seconds()))
        here.encryption = nullptr;
    auto session = converse(std::move(connected.fd), endpoint.ip, here, way.route.protocol);
    Conversation::Opening opening = session->open();
    if (opening.tls_failed && hold != TlsHold::none)
        memory_.servers().note_tls_failure(memory_name(terms.server_name, endpoint.port), now_seconds());
    if (opening.retry_without_tls) {
        // What a handshake has broken is not mended on the same connection.
        session.reset();
        if (opening.hung_in_tls) memory_.note_slow(tls_with(endpoint.ip), now_seconds());
        connected = net::connect_any({endpoint}, settings_->timeout_connect, head_start, way.from);
        note(connected);
        if (!connected.fd) return false;
        SessionSettings plain = here;
        plain.encryption = nullptr;
        session = std::make_unique<Session>(std::move(connected.fd), endpoint.ip, std::move(plain));
        opening = session->open();
    }
    hopeless_ = login_refused_ = opening.login_refused;
    if (opening.silent) note_silence(endpoint.ip);
    if (opening.refused) {
        keep(last, std::move(*opening.refused));
        return false;
    }
    if (const Extensions* offered = session->extensions())
        memory_.servers().note_session(memory_name(terms.server_name, endpoint.port), *offered,
                                       session->encrypted(), now_seconds());
    login_second_choice_ = opening.second_choice;
    conversation_ = std::move(session);
    return true;
}

}  // namespace relais::remote
