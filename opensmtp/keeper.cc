#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "opensmtp/server.h"

namespace relais::opensmtp {

Keeper::Keeper(const control::Home& home, Clock clock)
    : settings_(home), store_(home), writer_(home), clock_(std::move(clock)) {
    refresh();
}

void Keeper::refresh() {
    const auto& wrong = settings_.get().exclude.wrong();
    if (wrong == wrong_logged_) return;
    wrong_logged_ = wrong;
    for (const std::string& line : wrong)
        log_line("warning: control/opensmtpexclude: neither an address nor a network: " + safe_for_log(line));
}

const OpenSmtpSettings& Keeper::settings() {
    if (looked_) return settings_.last();
    const OpenSmtpSettings& settings = settings_.get();
    looked_ = in_turns_;
    return settings;
}

// One line for each door that was shut before, not one for each login.
void Keeper::log_opening(const Entry& entry, const std::optional<Entry>& before, const Moment& now) {
    if (before && live(*before, settings_.last().lifetime, now)) return;
    log_line("open " + entry.address + " by " + (entry.user.empty() ? "-" : safe_for_log(entry.user)) +
             " over " + safe_for_log(entry.service));
}

Answer Keeper::add(const std::string& address, const std::string& user, const std::string& service) {
    const OpenSmtpSettings& settings = this->settings();
    if (const auto line = settings.exclude.match(address))
        return {false, address + " opens nothing: control/opensmtpexclude has " + *line};
    const Moment now = clock_();
    const Entry entry{settings.key_of(address), user, service, now};
    log_opening(entry, writer_.put(entry), now);
    return {true, entry.address};
}

Answer Keeper::import_one(const Request& request) {
    const OpenSmtpSettings& settings = this->settings();
    if (const auto line = settings.exclude.match(request.address)) return {true, "excluded"};
    const Moment now = clock_();
    const std::int64_t seconds = now.wall - request.wall;
    if (seconds < 0 || seconds >= settings.lifetime) return {true, "expired"};
    // From here on the wall clock does not matter to it.
    const Entry entry{settings.key_of(request.address),
                      request.user,
                      request.service,
                      {request.wall, now.boot - seconds, now.boot_id}};
    if (const auto before = store_.look_up(entry.address)) {
        if (age(*before, now) && wall_of_login(*before, now) >= request.wall) return {true, "newer"};
    }
    writer_.put(entry);
    return {true, "imported"};
}

Answer Keeper::remove(const std::string& address) {
    const bool own = writer_.remove(address);
    const std::string key = settings().key_of(address);
    const bool network = key != address && writer_.remove(key);
    return {true, std::to_string((own ? 1 : 0) + (network ? 1 : 0))};
}

bool Keeper::remove_if(const std::string& address, const std::function<bool(const Entry&)>& drop) {
    const auto entry = store_.look_up(address);
    return entry && drop(*entry) && writer_.remove(address);
}

std::function<bool(const Entry&)> Keeper::expired(std::int64_t longer) {
    // By the clock as it is when an entry is looked at: a login may have come since the sweep began. What
    // seems to be from the future relays nothing; it stays, for the wall clock may be what is wrong.
    return [this, lifetime = settings().lifetime, longer](const Entry& entry) {
        const auto seconds = age(entry, clock_());
        return seconds && *seconds - longer >= lifetime;
    };
}

}  // namespace relais::opensmtp
