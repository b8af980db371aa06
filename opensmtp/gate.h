// What the open-smtp store and a vpopmail's live file say about a client, by the control files that go with
// them. Asked by qmail-smtpd at the moment of use, and by relay-explain and open-smtp check in the same
// words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/control_file.h"
#include "control/home.h"
#include "control/setting.h"
#include "control/watched.h"
#include "opensmtp/address.h"
#include "opensmtp/store.h"

namespace relais::opensmtp {

// control/opensmtplifetime, opensmtpprefix6, opensmtpnorbl, opensmtpexclude, opensmtpfile.
struct OpenSmtpSettings {
    std::int64_t lifetime = control::default_of<"opensmtplifetime">().count();  // seconds
    bool whole_networks = false;  // opensmtpprefix6 is 64: a login opens the /64 of an IPv6 client
    bool norbl = false;           // exported lines and rules also exempt from DNS block lists
    NetworkSet exclude;
    std::string file;  // a vpopmail's open-smtp; "" for none

    // Throws Error when a file cannot be read.
    static OpenSmtpSettings read(const control::Home& home);
    // The key that a login from this address (canonical) is stored under: itself or its /64.
    std::string key_of(const std::string& address) const;
};

// The settings, read again when one of their files has changed.
using WatchedOpenSmtpSettings = control::Watched<OpenSmtpSettings>;

// What the open-smtp store (or a vpopmail's file) says about the client.
struct OpenSmtpFinding {
    std::optional<Entry> entry;  // the newest there is, live or not
    bool live = false;           // it opens the door
    std::string text;            // "last login 3 h 12 min ago by anna over pop3"; "" if there is no entry
    std::string source;          // the file that holds it
    std::optional<std::string> excluded;  // the line of control/opensmtpexclude that keeps the door shut
};

class OpenSmtpGate {
  public:
    explicit OpenSmtpGate(const control::Home& home) : settings_(home), store_(home) {}

    // Reads the control files that have changed: for a listener, before it forks. Throws Error.
    void refresh() { settings_.get(); }
    // Looks the client up, now. An address that is none is found nowhere. Throws Error when the store or the
    // file cannot be read.
    OpenSmtpFinding find(std::string_view address, const Moment& now);
    const OpenSmtpSettings& settings() { return settings_.last(); }
    std::uint64_t version() const { return settings_.version(); }

  private:
    std::optional<Entry> find_in_file(const std::string& address, const Moment& now);

    WatchedOpenSmtpSettings settings_;
    OpenSmtpStore store_;
    std::optional<control::ChangeWatch> file_watch_;
    std::string file_content_;
};

}  // namespace relais::opensmtp
