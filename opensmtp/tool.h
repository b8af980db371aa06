// What open-smtp does, beyond asking open-smtpd one thing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control/home.h"
#include "opensmtp/gate.h"
#include "opensmtp/protocol.h"

namespace relais::opensmtp {

// Connects; an Error says what to do when nobody answers.
OpenSmtpClient connect_to_server(const control::Home& home);
// Asks one thing. Throws a permanent Error with the answer's text if it is no.
std::string ask_server(const control::Home& home, const Request& request);

// All entries, the youngest login first.
std::vector<Entry> all_entries(const control::Home& home, const Moment& now);
// One line each for people, or one JSON array.
std::string list_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings, const Moment& now);
std::string list_json(const std::vector<Entry>& entries, const OpenSmtpSettings& settings, const Moment& now);
// The live ones in vpopmail's form.
std::string export_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                        const Moment& now);
// The live ones as rules, each marked with OPENSMTP="time of login" so that they are known again in a cdb.
std::string rules_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                       const Moment& now);

// What became of the lines of an import.
struct ImportCount {
    std::uint64_t imported = 0;
    std::uint64_t expired = 0;   // older than the lifetime
    std::uint64_t future = 0;    // later than now
    std::uint64_t excluded = 0;  // by control/opensmtpexclude
    std::uint64_t newer = 0;     // the store knows a later login
    std::uint64_t wrong = 0;     // not understood
    std::string text() const;
};
using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;
// Imports a file in vpopmail's form, or a directory of files named by address whose mtime is the login.
// Progress is called now and then. Throws Error when the path cannot be read or open-smtpd goes away; what
// was imported stays.
ImportCount import_path(const control::Home& home, const std::string& path, const Progress& progress);

// Replaces cdb by the rules of the text file and the live entries, with the program tcprules of $PATH. Throws
// Error.
void write_rules(const std::string& text, const std::string& cdb);

}  // namespace relais::opensmtp
