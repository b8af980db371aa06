// Logins at the console. What wrong passwords cost, and whom, is as it is for mail accounts (auth/limits.h):
// an operator who has logged in from where he is within 30 days is not slowed by what others try on him.
#include <algorithm>

#include "auth/hash.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "console/helper.h"
#include "sasl/secret.h"

namespace relais::console {
namespace {

// All names that are no accounts count as this one.
const std::string no_account = "-";
// Of strangers, waiting or refused late; and of those who are known where they come from.
constexpr std::size_t most_strange = 16;
constexpr std::size_t most_logins = 32;

std::optional<Operator> find_operator(const control::Home& home, const std::string& name) {
    for (Operator& each : read_operators(home))
        if (each.name == name) return std::move(each);
    return std::nullopt;
}

}  // namespace

void Helper::log_in(Question question, Answer answer) {
    bool there = false;
    try {
        there = find_operator(home_, question.arguments[0]).has_value();
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        wipe(question.arguments[1]);
        return refuse(std::move(answer), Status::failed, "the accounts cannot be read: the log says why");
    }
    const auto asker =
        guesses_.asker(there ? question.arguments[0] : no_account, question.client, now_seconds());
    const std::uint64_t id = next_login_++;
    const std::size_t strange = static_cast<std::size_t>(std::count_if(
        logins_.begin(), logins_.end(), [](const auto& each) { return !each.second.asker.familiar; }));
    const bool room = logins_.size() < most_logins && (asker.familiar || strange < most_strange);
    auto& login = logins_[id] = {std::move(question), std::move(answer), asker};
    switch (room ? lines_.enter(id, guesses_.lines_of(asker)) : auth::Lines::Place::full) {
        case auth::Lines::Place::free:
            return judge(id);
        case auth::Lines::Place::waits:
            return;
        case auth::Lines::Place::full:
            break;
    }
    const unsigned count = guesses_.turn_away(asker, Clock::now());
    // Somebody who goes on must not fill the log.
    if (count <= 8 || (count & (count - 1)) == 0)
        log_line("login " + safe_for_log(login.question.arguments[0]) + " from " +
                 safe_for_log(login.question.client) + ": too many wrong passwords, not looked at, refusal " +
                 std::to_string(count));
    end_login(id, Status::refused, "too many wrong passwords lately: try again in a minute");
}

void Helper::judge(std::uint64_t id) {
    const auto found = logins_.find(id);
    if (found == logins_.end()) return;
    auto& [question, answer, asker] = found->second;
    const std::string& name = question.arguments[0];
    std::optional<Operator> account;
    try {
        account = find_operator(home_, name);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return end_login(id, Status::failed, "the accounts cannot be read: the log says why");
    }
    // A name that there is not costs as much time as one that there is.
    static const std::string nobody = auth::hash_password(new_secret());
    const bool fits = auth::password_fits(question.arguments[1], account ? account->hash : nobody);
    if (account && fits) return accept_login(id, *account);
    const auto failure = guesses_.fail(asker, question.arguments[1], Clock::now());
    log_line("wrong login " + safe_for_log(name) + " from " + safe_for_log(question.client) + ": failure " +
             std::to_string(failure.here) + " of this account there, answer in " +
             std::to_string(failure.delay.count()) + " s");
    loop_.after(failure.delay, [this, id] { end_login(id, Status::refused, "wrong name or password"); });
}

void Helper::accept_login(std::uint64_t id, const Operator& account) {
    Login& login = logins_.at(id);
    if (!guesses_.succeed(login.asker, now_seconds()))
        log_line("warning: unable to write users/console-networks: from where operators log in is forgotten");
    try {
        login.answer.token = sessions_.open(account.name, account.hash, ending_of(home_, account.name),
                                            account.role, Clock::now());
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return end_login(id, Status::failed, "no session can be begun: the log says why");
    }
    log_line("login " + account.name + " as " + std::string(role_name(account.role)) + " from " +
             safe_for_log(login.question.client));
    login.answer.name = account.name;
    login.answer.role = account.role;
    end_login(id, Status::done, "");
}

// Those whose turn has come are looked at when this event has been dealt with.
void Helper::end_login(std::uint64_t id, Status status, std::string why) {
    const auto found = logins_.find(id);
    if (found == logins_.end()) return;
    wipe(found->second.question.arguments[1]);
    Answer answer = std::move(found->second.answer);
    logins_.erase(found);
    for (const std::uint64_t next : lines_.leave(id))
        loop_.after(std::chrono::milliseconds(0), [this, next] { judge(next); });
    if (status != Status::done) return refuse(std::move(answer), status, std::move(why));
    answer.status = status;
    send(answer);
}

void Helper::log_in_once(const Question& question, Answer answer) {
    std::optional<Role> role;
    try {
        role = take_once(home_, question.arguments[0]);
        if (role)
            answer.token =
                sessions_.open(std::string(once_name), "", ending_of(home_, once_name), *role, Clock::now());
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        role.reset();
    }
    if (!role) {
        log_line("wrong login from " + safe_for_log(question.client) + ": no such login for once");
        return refuse(std::move(answer), Status::refused,
                      "this login was used, or is too old: qmail-console --once makes another one");
    }
    log_line("login for once as " + std::string(role_name(*role)) + " from " + safe_for_log(question.client));
    answer.status = Status::done;
    answer.name = once_name;
    answer.role = *role;
    send(answer);
}

}  // namespace relais::console
