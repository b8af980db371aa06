#include "opensmtp/gate.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "control/setting.h"
#include "opensmtp/vpopmail.h"

namespace relais::opensmtp {
namespace {

// 11,859 stale lines are 700 KB.
constexpr std::size_t file_limit = std::size_t{64} << 20;

// The younger of two, one that is from the future being the older.
bool younger(const Entry& a, const Entry& b, const Moment& now) {
    const auto a_age = age(a, now);
    const auto b_age = age(b, now);
    return a_age && (!b_age || *a_age < *b_age);
}

}  // namespace

OpenSmtpSettings OpenSmtpSettings::read(const control::Home& home) {
    OpenSmtpSettings settings;
    settings.lifetime = control::read<"opensmtplifetime">(home).count();
    settings.whole_networks = control::read<"opensmtpprefix6">(home) == 64;
    settings.norbl = control::read<"opensmtpnorbl">(home);
    settings.exclude = NetworkSet(control::read<"opensmtpexclude">(home));
    settings.file = control::read<"opensmtpfile">(home);
    return settings;
}

std::string OpenSmtpSettings::key_of(const std::string& address) const {
    return whole_networks ? network64(address).value_or(address) : address;
}

OpenSmtpFinding OpenSmtpGate::find(std::string_view text, const Moment& now) {
    OpenSmtpFinding finding;
    const auto address = canonical_client(text);
    if (!address) return finding;
    const OpenSmtpSettings& settings = settings_.last();
    const auto consider = [&](std::optional<Entry> entry, const std::string& source) {
        if (!entry || (finding.entry && !younger(*entry, *finding.entry, now))) return;
        finding.entry = std::move(entry);
        finding.source = source;
    };
    for (const std::string& key : {*address, settings.key_of(*address)}) {
        if (finding.entry && finding.entry->address == key) continue;
        consider(store_.look_up(key), fmt::format("open-smtp/{}/{}", split_of(key), file_name(key)));
    }
    if (!settings.file.empty()) consider(find_in_file(*address, now), settings.file);
    finding.excluded = settings.exclude.match(*address);
    if (!finding.entry) return finding;
    finding.live = !finding.excluded && live(*finding.entry, settings.lifetime, now);
    finding.text = "last login " + login_text(*finding.entry, now);
    return finding;
}

// The file has wall time only; a login from a time to come, or of no boot that we know, is judged by it.
std::optional<Entry> OpenSmtpGate::find_in_file(const std::string& address, const Moment& now) {
    const std::string& path = settings_.last().file;
    if (!file_watch_) file_watch_.emplace(path);
    if (file_watch_->changed()) file_content_ = read_file(path, file_limit).value_or("");
    const auto line = find_vpopmail_line(file_content_, address);
    if (!line) return std::nullopt;
    // As if it were of this boot, so that the time since boot does not count against it.
    return Entry{address, "", "vpopmail", {line->wall, now.boot - (now.wall - line->wall), now.boot_id}};
}

}  // namespace relais::opensmtp
