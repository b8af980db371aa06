#include "pop3/opening.h"

#include <fmt/core.h>

#include <algorithm>

#include "auth/protocol.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"
#include "pop3/login.h"
#include "pop3/settings.h"

namespace relais::pop3 {
namespace {

bool secrets_are_stored(const control::Home& home) {
    auth::Request question;
    question.kind = auth::RequestKind::methods;
    const auth::Answer answer = auth::ask(home, question, Deadline::in(Seconds(5)));
    return answer.result == auth::Result::right &&
           (" " + answer.text + " ").find(" challenge ") != std::string::npos;
}

// From elsewhere a password could be read on the way (control/authplain: it may be).
bool is_in_private(const control::Home& home) {
    const std::string ip = environment("TCPREMOTEIP", "127.0.0.1");
    return ip.starts_with("127.") || ip == "::1" || ip.starts_with("::ffff:127.") ||
           control::read<"authplain">(home);
}

}  // namespace

DialogueSettings dialogue_settings(const control::Home& home, std::string host, bool tls_first, bool apop) {
    DialogueSettings settings;
    settings.tls_first = tls_first;
    settings.host = std::move(host);
    settings.challenge = new_challenge(settings.host);
    settings.apop = apop || secrets_are_stored(home);
    settings.passwords = is_in_private(home);
    settings.utf8 = offers_utf8(home);
    settings.timeout = session_timeout(home);
    return settings;
}

void hurry(const control::Home& home, DialogueSettings& settings) {
    const auto patience = control::read<"stresstimeout">(home);
    if (patience.count() > 0) settings.timeout = std::min(settings.timeout, patience);
}

std::string refusal_line(std::string_view user, std::string_view answer) {
    return "refused " + safe_for_log(user.substr(0, 128)) + " from " +
           safe_for_log(environment("TCPREMOTEIP", "unknown")) + ": " +
           std::string(answer.substr(answer.find(']') + 2));
}

std::string too_many_line(std::string_view ip, std::size_t limit, std::string_view source) {
    return fmt::format(
        "refused a client from {}: too many connections from its address: {} at once, set by {}",
        safe_for_log(ip), limit, source);
}

}  // namespace relais::pop3
