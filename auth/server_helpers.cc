// The part of Server that asks others: PAM, a password program, a validator of tokens, Dovecot. A process for
// each login, for all of them may wait.
#include <unistd.h>

#include <array>

#include "auth/server.h"
#include "base/error.h"
#include "base/program.h"

namespace relais::auth {

// Who is asked about a login that users/passwd does not decide. The system's users are those of the default
// domain. What comes of programs and Dovecot names no uid, so that only SMTP can use it.
Helper Server::helper_for(const Client& client) const {
    const HelperSettings& helpers = settings_.helpers;
    const auto if_asked = [&](Helper helper) { return helpers.has(helper) ? helper : Helper::none; };
    if (client.request.kind == RequestKind::token)
        return client.smtp ? if_asked(Helper::validator) : Helper::none;
    const bool named = client.smtp && !client.name.empty();
    if (client.request.kind == RequestKind::cram_md5)
        return named ? if_asked(Helper::challenge) : Helper::none;
    if (client.request.kind != RequestKind::password) return Helper::none;
    if (helpers.has(Helper::pam) && client.name.ends_with("@" + settings_.default_domain)) return Helper::pam;
    if (!named) return Helper::none;
    return helpers.has(Helper::program) ? Helper::program : if_asked(Helper::dovecot);
}

void Server::ask_helper(ClientId id) {
    waiting_for_helper_.push_back(id);
    start_helpers();
}

Question Server::question_of(const Client& client) const {
    const Request& request = client.request;
    Question question{.helper = helper_for(client),
                      .user = client.name,
                      .service = request.service,
                      .address = request.address,
                      .challenge = {},
                      .secret = request.secret};
    if (question.helper == Helper::pam) question.user = question.user.substr(0, client.name.rfind('@'));
    if (question.helper == Helper::validator && client.name.empty()) question.user = request.user;
    if (question.helper == Helper::challenge || question.helper == Helper::validator)
        question.challenge = request.challenge;
    return question;
}

void Server::start_helpers() {
    while (helpers_.size() < settings_.helper_processes && !waiting_for_helper_.empty()) {
        const ClientId id = waiting_for_helper_.front();
        waiting_for_helper_.pop_front();
        Pipe pipe = make_pipe();
        if (!start_helper(starter_, question_of(clients_.at(id)), pipe.write.get())) {
            answer(id, answer_of(Result::temporary, "the question is too long, or nobody can be asked now"));
            continue;
        }
        const int fd = pipe.read.get();
        helpers_.emplace(fd, HelperProcess{id, std::move(pipe.read), ""});
        loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { read_helper(fd); });
    }
}

void Server::read_helper(int fd) {
    HelperProcess& process = helpers_.at(fd);
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count > 0 && process.output.size() <= answer_limit) {
        process.output.append(buffer.data(), static_cast<std::size_t>(count));
        return;
    }
    const ClientId id = process.client;
    std::optional<Answer> result;
    if (process.output.size() > 2) result = decode_answer(std::string_view(process.output).substr(2));
    loop_.remove(fd);
    helpers_.erase(fd);
    if (!result) {
        result.emplace();
        result->text = "who was asked gave no answer";
    }
    take_help(id, *std::move(result));
    start_helpers();
}

void Server::take_help(ClientId id, Answer result) {
    const Client& client = clients_.at(id);
    if (result.result == Result::refused) return refuse(id, result.text);
    if (result.result == Result::temporary) {
        log_line("warning: " + shown(client.name) + " from " + shown(client.request.address) + ": " +
                 result.text);
        return answer(id, result);
    }
    if (client.smtp) {
        // The account's one spelling; only a token may say by itself whose it is.
        const bool anonymous = client.request.kind == RequestKind::token && client.request.user.empty();
        result.name =
            anonymous ? canonical_name(result.name, settings_.default_domain).value_or("") : client.name;
        if (result.name.empty()) return refuse(id, "the token's account is not known");
        if (client.request.kind == RequestKind::password)
            cache_.add(client.name, client.asker.network, client.request.secret, Clock::now());
    }
    accept_login(id, result);
}

}  // namespace relais::auth
