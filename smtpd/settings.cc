#include "smtpd/settings.h"

#include "base/text.h"
#include "base/words.h"
#include "trace/client.h"

namespace relais::smtpd {
namespace {

// Words, on one line or several; what we do not know is left out.
template <class Lines>
std::vector<sasl::Mechanism> parse_mechanisms(const Lines& lines) {
    std::vector<sasl::Mechanism> result;
    for (const std::string_view line : lines)
        for (const std::string_view word : split(line, ' '))
            if (const auto mechanism = sasl::mechanism_named(word)) result.push_back(*mechanism);
    return result;
}

}  // namespace

std::vector<sasl::Mechanism> Settings::default_mechanisms() {
    return parse_mechanisms(std::array{control::default_of<"authmechanisms">()});
}

std::chrono::seconds Settings::wait_before_greeting(const policy::Client& client) const {
    constexpr std::chrono::seconds none{0};
    if (client.relayclient || modes.of(*control::find_check("earlytalker")) == control::CheckMode::off)
        return none;
    const std::uint64_t most = control::row<"greetdelay">.most;
    return client.greet_delay ? std::chrono::seconds(std::min(*client.greet_delay, most)) : greet_delay;
}

Settings Settings::read(const control::Home& home) {
    Settings settings;
    static_cast<policy::Settings&>(settings) = policy::Settings::read(home);
    settings.greeting = control::read<"smtpgreeting">(home);
    settings.timeout = control::read<"timeoutsmtpd">(home);
    settings.databytes = control::read<"databytes">(home);
    settings.recipient_limit = control::read<"maxrcpt">(home);
    settings.refused_limit = control::read<"refusedlimit">(home);
    settings.refused_pause = control::read<"refusedpause">(home);
    settings.greet_delay = control::read<"greetdelay">(home);
    settings.tarpit_count = control::read<"tarpitcount">(home);
    settings.tarpit_delay = control::read<"tarpitdelay">(home);
    settings.refuse_nul = control::read<"refusenul">(home);
    settings.chunking = control::read<"chunking">(home);
    settings.limits = control::read<"smtplimits">(home);
    settings.smtputf8 = control::read<"smtputf8">(home);
    settings.future_release = control::read<"futurerelease">(home);
    settings.deliver_by = control::read<"deliverby">(home);
    settings.mt_priority = control::read<"mtpriority">(home);
    settings.etrn = control::DomainSet(control::read<"etrn">(home));
    settings.requiretls = control::read<"requiretls">(home) > 0;
    settings.enhanced_codes = control::read<"enhancedcodes">(home);
    settings.auth_plain = control::read<"authplain">(home);
    settings.submission_auth = control::read<"submissionauth">(home);
    settings.submission_tls = control::read<"submissiontls">(home);
    settings.received_auth = control::read<"receivedauth">(home);
    settings.per_ip = control::read<"perip">(home);
    settings.stress_timeout = control::read<"stresstimeout">(home);
    settings.log_json = control::read<"logformat">(home) == "json";
    settings.keep_trace = trace::is_kept(home);
    settings.milters = !control::read<"milters">(home).empty();
    settings.refusal_id = control::read<"refusalid">(home);
    settings.hide_addresses = control::read<"proctitle">(home);
    settings.reuse = listen::parse_reuse(control::read<"sessionreuse">(home));
    settings.mechanisms = parse_mechanisms(control::read<"authmechanisms">(home));
    settings.proxies = opensmtp::NetworkSet(control::read<"proxyhosts">(home));
    std::vector<std::string> front_ends;
    std::vector<std::string> login_front_ends;
    for (const std::string& line : control::read<"xclient">(home)) {
        const auto words = words_of(line);
        const bool names_logins = words.size() == 2 && words[1] == "login";
        if (words.size() != (names_logins ? 2 : 1)) continue;  // qmail-showctl tells
        front_ends.emplace_back(words[0]);
        if (names_logins) login_front_ends.emplace_back(words[0]);
    }
    settings.front_ends = opensmtp::NetworkSet(front_ends);
    settings.login_front_ends = opensmtp::NetworkSet(login_front_ends);
    if (const auto lines = control::read<"dsnfrom">(home); !lines.empty()) settings.dsn_from.emplace(lines);
    return settings;
}

}  // namespace relais::smtpd
