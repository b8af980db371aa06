#include "explain/listener.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/control_file.h"

namespace relais::explain {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t script_limit = std::size_t{1} << 20;

std::vector<std::string> words_of(std::string_view script) {
    std::vector<std::string> words;
    for (const std::string_view line : split(script, '\n')) {
        if (trim(line).starts_with('#')) continue;
        std::istringstream stream{std::string(line)};
        for (std::string word; stream >> word;) {
            std::erase(word, '"');
            std::erase(word, '\'');
            words.push_back(word);
        }
    }
    return words;
}

bool is_named(const std::string& word, std::string_view program) {
    return fs::path(word).filename() == program;
}

// "ADDRESS PORT" in the line of control/smtplisten, or its like, that belongs to the service: the n-th to
// qmail-smtpdN.
void add_place(Listener& listener, const control::Home& home, const std::string& script) {
    constexpr std::array files = {"smtplisten", "submissionlisten", "submissionslisten"};
    const auto* const file = std::find_if(files.begin(), files.end(), [&](const std::string& name) {
        return script.find("control/" + name) != std::string::npos;
    });
    if (file == files.end()) return;
    const auto lines = control::read_lines(home, *file).value_or(std::vector<std::string>());
    const std::string digits = listener.name.substr(listener.name.find_last_not_of("0123456789") + 1);
    const auto number = digits.empty() ? 1 : parse_number(digits).value_or(0);
    if (number == 0 || number > lines.size()) return;
    std::istringstream stream(lines[number - 1]);
    stream >> listener.address >> listener.port;
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

Listener fallback(const control::Home& home) {
    Listener listener;
    listener.name = "qmail-smtpd";
    listener.rules = home.path("tcp.smtp.cdb");
    if (!exists(listener.rules) && exists("/etc/tcp.smtp.cdb")) listener.rules = "/etc/tcp.smtp.cdb";
    return listener;
}

}  // namespace

bool Listener::takes(bool ipv6) const {
    if (address.empty() || address == "0") return true;
    return (address.find(':') != std::string::npos) == ipv6;
}

std::string Listener::text() const {
    if (address.empty()) return name;
    return name + ", " + (address == "0" ? "all addresses" : address) + " port " + port;
}

namespace {

// The options of tcpserver, or of our own listener: -x and -H, alone or behind other letters.
void read_options(std::span<const std::string> words, Listener& listener) {
    constexpr std::string_view with_value = "cxBgulbt";
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word.size() < 2 || word.front() != '-' || word[1] == '-') continue;
        for (std::size_t letter = 1; letter < word.size(); ++letter) {
            if (word[letter] == 'H') listener.names = false;
            if (with_value.find(word[letter]) == std::string_view::npos) continue;
            const bool apart = letter + 1 == word.size();
            if (word[letter] == 'x')
                listener.rules = !apart ? word.substr(letter + 1) : i + 1 < words.size() ? words[i + 1] : "";
            i += apart ? 1 : 0;
            break;
        }
    }
}

}  // namespace

std::optional<Listener> parse_run_script(std::string name, std::string_view script) {
    const std::vector<std::string> words = words_of(script);
    const auto smtpd = std::find_if(words.begin(), words.end(),
                                    [](const auto& word) { return is_named(word, "qmail-smtpd"); });
    if (smtpd == words.end()) return std::nullopt;
    const auto server =
        std::find_if(words.begin(), smtpd, [](const auto& word) { return is_named(word, "tcpserver"); });
    Listener listener;
    listener.name = std::move(name);
    listener.tcpserver = server != smtpd;
    listener.names = listener.tcpserver;
    read_options(std::span(listener.tcpserver ? server : smtpd, listener.tcpserver ? smtpd : words.end()),
                 listener);
    listener.relays_all = std::any_of(words.begin(), words.end(),
                                      [](const auto& word) { return word.starts_with("RELAYCLIENT="); });
    listener.submission = std::any_of(words.begin(), words.end(),
                                      [](const auto& word) { return word.starts_with("SUBMISSION="); });
    return listener;
}

std::vector<Listener> find_listeners(const control::Home& home) {
    std::vector<Listener> all;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(home.path("service"), missing)) {
        const auto script = read_file(entry.path() / "run", script_limit);
        if (!script) continue;
        auto listener = parse_run_script(entry.path().filename(), *script);
        if (!listener) continue;
        add_place(*listener, home, *script);
        if (!listener->rules.empty() && listener->rules.front() != '/')
            listener->rules = home.path(listener->rules);
        all.push_back(std::move(*listener));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.name < b.name;
    });
    if (all.empty()) all.push_back(fallback(home));
    return all;
}

Listener choose_listener(const std::vector<Listener>& all, const std::string& name, bool ipv6) {
    if (name.find('/') != std::string::npos) {
        Listener listener;
        listener.name = "a server";
        listener.rules = name;
        listener.names = true;
        return listener;
    }
    std::string names;
    for (const Listener& listener : all) {
        if (name.empty() ? listener.takes(ipv6) && !listener.submission : listener.name == name)
            return listener;
        names += " " + listener.name;
    }
    if (!name.empty()) throw_permanent("there is no SMTP server " + name + " here; there is" + names);
    return all.front();
}

std::vector<std::string> sources_of(const std::string& cdb) {
    if (!cdb.ends_with(".cdb")) return {};
    const std::string source = cdb.substr(0, cdb.size() - 4);
    if (source.ends_with("/tcp.smtp6")) return {source, source.substr(0, source.size() - 1)};
    return {source};
}

}  // namespace relais::explain
