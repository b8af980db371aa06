#include "smtpd/settings.h"

#include <algorithm>

#include "base/text.h"

namespace relais::smtpd {
namespace {

// Words, on one line or several; what we do not know is left out.
std::vector<sasl::Mechanism> parse_mechanisms(const std::vector<std::string>& lines) {
    std::vector<sasl::Mechanism> result;
    for (const std::string& line : lines)
        for (const std::string_view word : split(line, ' '))
            if (const auto mechanism = sasl::mechanism_named(word)) result.push_back(*mechanism);
    return result;
}

}  // namespace

// The first three as the usual patches have them.
std::vector<sasl::Mechanism> Settings::default_mechanisms() {
    using sasl::Mechanism;
    return {Mechanism::login,         Mechanism::cram_md5,           Mechanism::plain,
            Mechanism::scram_sha_256, Mechanism::scram_sha_256_plus, Mechanism::xoauth2,
            Mechanism::oauthbearer};
}

Settings Settings::read(const control::Home& home) {
    Settings settings;
    static_cast<policy::Settings&>(settings) = policy::Settings::read(home);
    settings.greeting = control::read_line(home, "smtpgreeting").value_or(settings.me);
    // A timeout of nothing would turn everybody away, and one beyond a day is none.
    const std::uint64_t timeout = control::read_number(home, "timeoutsmtpd", 1200);
    settings.timeout = std::chrono::seconds(std::clamp<std::uint64_t>(timeout, 1, 86400));
    settings.databytes = control::read_number(home, "databytes", 0);
    settings.recipient_limit = control::read_number(home, "maxrcpt", settings.recipient_limit);
    settings.refused_limit = control::read_number(home, "refusedlimit", 0);
    settings.refused_pause =
        std::chrono::seconds(std::min<std::uint64_t>(control::read_number(home, "refusedpause", 0), 60));
    settings.refuse_nul = control::read_number(home, "refusenul", 0) != 0;
    settings.auth_plain = control::read_number(home, "authplain", 0) != 0;
    settings.submission_auth = control::read_number(home, "submissionauth", 1) != 0;
    settings.submission_tls = control::read_number(home, "submissiontls", 1) != 0;
    settings.received_auth = control::read_number(home, "receivedauth", 0) != 0;
    settings.per_ip = control::read_line(home, "perip").value_or("");
    settings.stress_timeout =
        std::chrono::seconds(std::min<std::uint64_t>(control::read_number(home, "stresstimeout", 0), 86400));
    settings.reuse = listen::parse_reuse(control::read_line(home, "sessionreuse").value_or(""));
    if (const auto lines = control::read_lines(home, "authmechanisms"))
        settings.mechanisms = parse_mechanisms(*lines);
    return settings;
}

WatchedSettings::WatchedSettings(control::Home home) : home_(std::move(home)) {
    for (const char* name : {"smtpgreeting", "timeoutsmtpd", "databytes", "maxrcpt", "refusedlimit",
                             "refusedpause", "refusenul", "authplain", "submissionauth", "submissiontls",
                             "receivedauth", "authmechanisms", "sessionreuse", "perip", "stresstimeout"})
        files_.emplace_back(home_.control_file(name));
    for (const std::string_view name : policy::Settings::files) files_.emplace_back(home_.control_file(name));
}

const Settings& WatchedSettings::get() {
    bool changed = !valid_;
    for (control::ChangeWatch& file : files_)
        if (file.changed()) changed = true;
    if (!changed) return settings_;
    valid_ = false;
    settings_ = Settings::read(home_);
    valid_ = true;
    ++version_;
    return settings_;
}

}  // namespace relais::smtpd
