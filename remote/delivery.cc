#include "remote/delivery.h"

#include <cerrno>

#include "base/error.h"
#include "base/time.h"

namespace relais::remote {
namespace {

// A domain with many dead servers must not hold this process for hours: the next try begins with the best ones again.
constexpr std::size_t server_limit = 10;
// DNS may have changed since; a connection does not live for ever.
constexpr std::chrono::minutes connection_age_limit{5};

}  // namespace

Result Delivery::deliver(const Envelope& envelope, Message& message) {
    Result result;
    try {
        result = try_deliver(envelope, message);
    } catch (const Error& error) {
        result.message = system_failure(error.what());
        session_.reset();
    }
    return result;
}

Result Delivery::try_deliver(Envelope envelope, Message& message) {
    // "example.org." and "example.org" are one domain, in every control file.
    if (envelope.host.ends_with('.')) envelope.host.pop_back();
    try {
        const Settings& current = files_.current();
        if (files_.version() != version_) settings_ = current;  // a copy: rcpthosts may be long
        version_ = files_.version();
    } catch (const Error& error) {
        return {{}, cannot_read_control(error.what()), "", false};
    }
    const std::string key = route_key(settings_, envelope.sender, envelope.host);
    if (!may_reuse(key)) close();
    if (session_)
        if (auto result = deliver_on_open(envelope, message)) return *std::move(result);
    key_ = key;
    return deliver_on_fresh(envelope, message);
}

bool Delivery::may_reuse(const std::string& key) const {
    return session_ && key == key_ && session_->usable() && messages_ < settings_.messages &&
           Clock::now() - connected_at_ < connection_age_limit;
}

// Nothing if the server turned out to have gone before it took anything: a fresh connection, silently.
std::optional<Result> Delivery::deliver_on_open(const Envelope& envelope, Message& message) {
    Session::Attempt attempt = session_->send(envelope.sender, envelope.recipients, message);
    ++messages_;
    if (attempt.nothing_taken && !session_->usable()) {
        session_.reset();
        return std::nullopt;
    }
    attempt.result.mx_group = group_;
    keep_or_close();
    return std::move(attempt.result);
}

Result Delivery::deliver_on_fresh(const Envelope& envelope, Message& message) {
    const Route route = route_of(settings_, envelope.sender, envelope.host);
    if (route.credentials) return {{}, cannot_read_control("no login yet: " + route.line), "", false};
    ServerSearch search(resolver_, envelope.host, route, policy(envelope.host, route), settings_.timeout_dns);
    std::optional<Verdict> last;  // what the last server said that would not talk to us
    std::size_t tried = 0;
    while (tried < server_limit) {
        const auto server = search.next();
        if (!server) break;
        ++tried;
        if (!open_session(*server, route.port, last)) continue;
        group_ = search.group();
        messages_ = 1;
        connected_at_ = Clock::now();
        Result result = session_->send(envelope.sender, envelope.recipients, message).result;
        result.mx_group = group_;
        keep_or_close();
        return result;
    }
    if (tried == 0) return {{}, search.refusal(), search.group(), false};
    return {{}, last ? *last : no_connection(), search.group(), true};
}

AddressPolicy Delivery::policy(const std::string& host, const Route& route) {
    AddressPolicy policy;
    policy.allow_all = settings_.privatemx.contains(host);
    policy.allow_private = route.named || settings_.rcpthosts.contains(host) || files_.in_morercpthosts(host);
    policy.is_local = [this](const std::string& address) { return local_addresses_.contains(address); };
    return policy;
}

std::vector<net::Endpoint> Delivery::endpoints(const Server& server, std::uint16_t port) const {
    std::vector<net::Endpoint> result;
    for (const std::string& address : server.addresses)
        if (!timeouts_.is_resting(address, now_seconds())) result.push_back({address, port});
    return result;
}

void Delivery::note(const net::ConnectResult& connected) {
    for (const net::ConnectFailure& failure : connected.failures)
        if (failure.error_number == ETIMEDOUT || failure.error_number == EHOSTUNREACH)
            timeouts_.note_timeout(failure.endpoint.ip, now_seconds());
    if (connected.fd) timeouts_.note_success(connected.endpoint.ip);
}

// Tries the server's addresses until one of them greets us properly.
bool Delivery::open_session(const Server& server, std::uint16_t port, std::optional<Verdict>& last) {
    std::vector<net::Endpoint> left = endpoints(server, port);
    while (!left.empty()) {
        net::ConnectResult connected = net::connect_any(std::move(left), settings_.timeout_connect);
        note(connected);
        if (!connected.fd) return false;
        left = std::move(connected.untried);
        auto session = std::make_unique<Session>(
            std::move(connected.fd), connected.endpoint.ip,
            SessionSettings{settings_.helo_host, settings_.timeout_remote, settings_.strict_8bit});
        const auto refused = session->open();
        if (!refused) {
            session_ = std::move(session);
            return true;
        }
        last = *refused;
    }
    return false;
}

void Delivery::keep_or_close() {
    if (!session_->usable() || messages_ >= settings_.messages) close();
}

void Delivery::close() {
    if (session_) session_->quit();
    session_.reset();
}

}  // namespace relais::remote
