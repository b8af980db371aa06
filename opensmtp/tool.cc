#include "opensmtp/tool.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/text.h"
#include "opensmtp/vpopmail.h"

namespace relais::opensmtp {
namespace {

// How old, and how long it still counts.
std::string standing_text(const Entry& entry, std::int64_t lifetime, const Moment& now) {
    const auto seconds = age(entry, now);
    if (!seconds) return "from the future, does not count";
    if (*seconds >= lifetime) return span_text(*seconds) + " ago, expired";
    return span_text(*seconds) + " ago, " + span_text(lifetime - *seconds) + " left";
}

bool relays(const Entry& entry, const OpenSmtpSettings& settings, const Moment& now) {
    return live(entry, settings.lifetime, now) && !settings.exclude.match(entry.address);
}

}  // namespace

OpenSmtpClient connect_to_server(const control::Home& home) {
    try {
        return OpenSmtpClient(home, Deadline::in(Seconds(10)));
    } catch (const Error& error) {
        if (error.number() == EACCES)
            throw Error(Reaction::permanent, error.what(), error.number());  // run_tool says who may
        if (error.number() == ENOENT || error.number() == ECONNREFUSED)
            throw Error(Reaction::temporary,
                        std::string(error.what()) + " (open-smtpd does not run; qmail-start starts it)",
                        error.number());
        throw;
    }
}

std::string ask_server(const control::Home& home, const Request& request) {
    OpenSmtpClient client = connect_to_server(home);
    // Some look through the whole store.
    const bool long_work = request.verb == Verb::expire || request.verb == Verb::remove_user;
    const Answer answer = client.ask(request, Deadline::in(Seconds(long_work ? 600 : 30)));
    if (!answer.ok) throw_permanent(answer.text);
    return answer.text;
}

std::vector<Entry> all_entries(const control::Home& home, const Moment& now) {
    std::vector<std::pair<std::int64_t, Entry>> entries;
    OpenSmtpStore(home).for_each(
        [&](const Entry& entry) { entries.emplace_back(age(entry, now).value_or(-1), entry); });
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first < b.first : a.second.address < b.second.address;
    });
    std::vector<Entry> result;
    for (auto& [seconds, entry] : entries) result.push_back(std::move(entry));
    return result;
}

std::string list_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                      const Moment& now) {
    std::string text;
    for (const Entry& entry : entries)
        text += fmt::format("{:<24} {:<24} {:<8} {}{}\n", entry.address,
                            entry.user.empty() ? "-" : safe_for_log(entry.user), safe_for_log(entry.service),
                            standing_text(entry, settings.lifetime, now),
                            settings.exclude.match(entry.address) ? " (excluded)" : "");
    return text;
}

std::string list_json(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                      const Moment& now) {
    Json list = Json::array();
    for (const Entry& entry : entries) {
        Json item{{"address", entry.address}, {"user", entry.user}, {"service", entry.service}};
        item["login"] = entry.login.wall;
        const auto seconds = age(entry, now);
        item["age"] = seconds ? Json(*seconds) : Json();
        item["left"] = seconds ? std::max<std::int64_t>(settings.lifetime - *seconds, 0) : 0;
        item["live"] = relays(entry, settings, now);
        list.push_back(std::move(item));
    }
    return list.lines() + "\n";
}

std::string export_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                        const Moment& now) {
    std::string text;
    for (const Entry& entry : entries)
        if (relays(entry, settings, now))
            text += vpopmail_line(entry.address, wall_of_login(entry, now), settings.norbl);
    return text;
}

std::string rules_text(const std::vector<Entry>& entries, const OpenSmtpSettings& settings,
                       const Moment& now) {
    std::string text;
    for (const Entry& entry : entries)
        if (relays(entry, settings, now))
            text += fmt::format("{}:allow,RELAYCLIENT=\"\"{},OPENSMTP=\"{}\"\n", entry.address,
                                settings.norbl ? ",RBLSMTPD=\"\"" : "", wall_of_login(entry, now));
    return text;
}

void write_rules(const std::string& text, const std::string& cdb) {
    Pipe pipe = make_pipe();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("start", "tcprules");
    if (child == 0) {
        ::dup2(pipe.read.get(), STDIN_FILENO);
        const std::string temporary = cdb + ".tmp." + std::to_string(::getpid());
        ::execlp("tcprules", "tcprules", cdb.c_str(), temporary.c_str(), nullptr);
        ::_exit(127);
    }
    pipe.read.reset();
    std::string trouble;
    try {
        write_all(pipe.write.get(), text, Deadline::in(Seconds(60)));
    } catch (const Error& error) {
        trouble = std::string(": ") + error.what();
    }
    pipe.write.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        throw_permanent("there is no program tcprules in $PATH; " + cdb + " stays as it was");
    if (status != 0 || !trouble.empty())
        throw_permanent("tcprules failed" + trouble + "; " + cdb + " stays as it was");
}

}  // namespace relais::opensmtp
