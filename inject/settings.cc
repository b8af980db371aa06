#include "inject/settings.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "control/setting.h"

namespace relais::inject {
namespace {

constexpr std::size_t list_file_limit = std::size_t{16} << 20;

// The first of these variables that is set.
std::optional<std::string> first_set(std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (const char* value = std::getenv(name)) return value;
    return std::nullopt;
}

// The variable, the control file, me, or, so that mail moves even then, the file's own name.
std::string setting(const control::Home& home, const char* variable, const control::ControlFile& row) {
    if (const char* value = std::getenv(variable)) return value;
    for (const std::string_view name : {row.name, std::string_view("me")})
        if (auto line = control::read_line(home, name)) return *line;
    return std::string(row.name);
}

std::unordered_set<std::string> read_followup_lists() {
    std::unordered_set<std::string> lists;
    const char* path = std::getenv("QMAILMFTFILE");
    const std::string content = path != nullptr ? read_file(path, list_file_limit).value_or("") : "";
    for (std::string_view line : split(content, '\n')) {
        line = trim(line);
        if (!line.empty() && line.front() != '#') lists.insert(lower(line));
    }
    return lists;
}

}  // namespace

Settings Settings::read(const control::Home& home) {
    Settings settings;
    settings.rewriter.default_domain = setting(home, "QMAILDEFAULTDOMAIN", control::row<"defaultdomain">);
    settings.rewriter.default_host = setting(home, "QMAILDEFAULTHOST", control::row<"defaulthost">);
    settings.rewriter.plus_domain = setting(home, "QMAILPLUSDOMAIN", control::row<"plusdomain">);
    settings.id_host = setting(home, "QMAILIDHOST", control::row<"idhost">);

    settings.user = first_set({"QMAILUSER", "MAILUSER", "USER", "LOGNAME"}).value_or("anonymous");
    settings.host = first_set({"QMAILHOST", "MAILHOST"});
    settings.name = first_set({"QMAILNAME", "MAILNAME", "NAME"});
    settings.sender_user = first_set({"QMAILSUSER"}).value_or(settings.user);
    settings.sender_host = first_set({"QMAILSHOST"});
    if (!settings.sender_host) settings.sender_host = settings.host;

    const std::string letters = first_set({"QMAILINJECT"}).value_or("");
    const auto has = [&letters](char letter) { return letters.find(letter) != std::string::npos; };
    settings.address_comment = has('c');
    settings.ignore_return_path = has('s');
    settings.delete_from = has('f');
    settings.delete_message_id = has('i');
    settings.verp_per_recipient = has('r');
    settings.verp_per_message = has('m');

    settings.followup_lists = read_followup_lists();
    settings.now = now_seconds();
    settings.process = static_cast<std::uint64_t>(::getpid());
    return settings;
}

}  // namespace relais::inject
