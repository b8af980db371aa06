// The part of Server that decides which login is looked at, and when, and what it costs to have been wrong.
#include "auth/server.h"
#include "base/error.h"
#include "base/program.h"
#include "base/time.h"
#include "metrics/count.h"

namespace relais::auth {
namespace {

// Of a network that is turned away again and again the log has the first times, and then each time that the
// number has doubled: a stranger must not fill the log.
bool is_logged(unsigned count) {
    return count <= 8 || (count & (count - 1)) == 0;
}

}  // namespace

// What needs no waiting is answered at once; the others go where their failures have put them.
void Server::admit(ClientId id) {
    Client& client = clients_.at(id);
    try {
        refresh();
        if (client.request.kind == RequestKind::methods || client.request.kind == RequestKind::watch)
            return answer(id, answer_of(Result::right, offers(client.smtp)));
        client.name = canonical_name(client.request.user, settings_.default_domain).value_or("");
        if (client.request.kind == RequestKind::scram_salt) return answer(id, find_salt(client));
        client.asker = limits_.asker(client.name, client.request.address, now_seconds());
        if (const auto known = known_login(client)) {
            metrics::count("login.right", client.request.service);
            return answer(id, *known);
        }
        switch (lines_.enter(id, limits_.lines_of(client.asker))) {
            case Lines::Place::free:
                return judge(id);
            case Lines::Place::waits:
                return;
            case Lines::Place::full:
                return turn_away(id);
        }
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        answer(id, answer_of(Result::temporary, error.what()));
    }
}

// What can be said of a login that was right a moment ago. Only a password of users/passwd is good for more
// than SMTP.
std::optional<Answer> Server::known_login(const Client& client) const {
    const auto now = Clock::now();
    if (client.request.kind != RequestKind::password || !limits_.remembers(client.asker, now) ||
        !cache_.knows(client.name, client.asker.network, client.request.secret, now))
        return std::nullopt;
    if (const auto account = find_account(client.name)) return answer_of(*account);
    if (!client.smtp || helper_for(client) == Helper::none) return std::nullopt;
    Answer answer = answer_of(Result::right);
    answer.name = client.name;
    return answer;
}

// Those whose turn has come are looked at when this event has been dealt with.
void Server::leave_lines(ClientId id) {
    for (const ClientId next : lines_.leave(id))
        loop_.after(std::chrono::milliseconds(0), [this, next] { judge(next); });
}

void Server::accept_login(ClientId id, const Answer& right) {
    Asker& asker = clients_.at(id).asker;
    metrics::count("login.right", clients_.at(id).request.service);
    if (asker.account.empty()) asker.account = right.name;
    if (!limits_.succeed(asker, now_seconds()) && !std::exchange(forgets_logged_, true))
        log_line("warning: unable to write users/networks: from where accounts have logged in is forgotten");
    answer(id, right);
}

void Server::refuse(ClientId id, const std::string& why) {
    Client& client = clients_.at(id);
    metrics::count("login.wrong", client.request.service);
    const auto failure = limits_.fail(client.asker, client.request.secret, Clock::now());
    log_line("refused " + shown(client.name.empty() ? client.request.user : client.name) + " from " +
             shown(client.request.address) + " over " + shown(client.request.service) + ": " + why +
             (client.asker.trusted ? ", failure " + std::to_string(failure.here) + " of this account there"
                                   : ", failure " + std::to_string(failure.network) + " of this address") +
             ", answer in " + std::to_string(failure.delay.count()) + " s" +
             (failure.account > failure.network
                  ? ", failure " + std::to_string(failure.account) + " of this account"
                  : ""));
    client.timer = loop_.after(failure.delay, [this, id] {
        clients_.at(id).timer = 0;
        answer(id, answer_of(Result::refused, "authorization failed"));
    });
}

void Server::turn_away(ClientId id) {
    const Client& client = clients_.at(id);
    metrics::count("login.turned_away", client.request.service);
    const unsigned count = limits_.turn_away(client.asker, Clock::now());
    if (is_logged(count))
        log_line("refused " + shown(client.name.empty() ? client.request.user : client.name) + " from " +
                 shown(client.request.address) + " over " + shown(client.request.service) +
                 ": too many failed logins, not looked at, refusal " + std::to_string(count) +
                 " of this address");
    answer(id, answer_of(Result::temporary, "too many failed logins, try again later"));
}

}  // namespace relais::auth
