#include "remote/route_check.h"

#include <unistd.h>

#include <functional>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/idna.h"
#include "base/text.h"
#include "control/secret_file.h"
#include "net/socket.h"
#include "remote/addresses.h"
#include "remote/routes.h"
#include "remote/source.h"
#include "remote/tls_policy.h"
#include "sasl/secret.h"

namespace relais::remote {
namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20;
constexpr std::string_view blanks = " \t\r";

// The key of a line, as its file's reader forms it; nothing for a line that has none.
std::string_view key_of(std::string_view line) {
    const std::size_t bracket = line.find('[') <= 1 ? line.find(']') : std::string_view::npos;
    return trim(line.substr(0, line.find(':', bracket == std::string_view::npos ? 0 : bracket)));
}

class Check {
  public:
    explicit Check(const control::Home& home) : home_(home) {}

    std::vector<control::Finding> run() {
        each("smtproutes", [this](const auto& lines, std::string_view line) {
            return route(line, Routes(lines, Passwords::forget).match(example(line)));
        });
        each("authsenders", [this](const auto& lines, std::string_view line) {
            const SenderRoutes routes(lines, Passwords::forget);
            const Route* found = routes.match(example_sender(line));
            return found == nullptr ? std::string() : route(line, *found);
        });
        each("lmtproutes", [this](const auto& lines, std::string_view line) {
            const std::string_view key = key_of(line);
            if (line.find(':') == std::string_view::npos) return std::string();  // control::inspect tells
            if (key.empty()) return std::string("it names no domain: it does not count");
            const LmtpRoutes routes({lines.begin(), lines.end()});
            const Route* found = routes.match(example(line));
            return found == nullptr ? std::string() : route(line, *found);
        });
        each("qmtproutes", [this](const auto& lines, std::string_view line) {
            Routes routes;
            routes.add_qmtp({lines.begin(), lines.end()});
            return route(line, routes.match(example(line)));
        });
        each("tlsdestinations", [this](const auto&, std::string_view line) { return destination(line); });
        each("domainips", [this](const auto&, std::string_view line) {
            const std::size_t colon = line.find(':');
            if (colon == std::string_view::npos) return std::string();  // control::inspect tells
            return source(parse_source(line.substr(colon + 1)));
        });
        each("outgoingip",
             [this](const auto&, std::string_view line) { return source(parse_outgoing(line)); });
        each("ipversions", [](const auto&, std::string_view line) {
            return parse_families(line) ? std::string() : "it must be 4, 6, 46 or 64: mail waits";
        });
        return std::move(findings_);
    }

  private:
    using Judge = std::function<std::string(const std::vector<std::string_view>&, std::string_view)>;

    // Calls judge for each line, alone; what it says is a finding. Two lines for one thing are one too many.
    void each(const std::string& name, const Judge& judge) {
        try {
            auto content = read_file(home_.control_file(name), size_limit);
            if (!content) return;
            read(name, *content, judge);
            wipe(*content);
        } catch (const Error&) {
        }
    }

    void read(const std::string& name, std::string_view content, const Judge& judge) {
        std::map<std::string, std::size_t> seen;
        std::size_t number = 0;
        for (std::string_view line : split(content, '\n')) {
            ++number;
            const std::size_t last = line.find_last_not_of(blanks);
            line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
            if (line.empty() || line.front() == '#') continue;
            if (const std::string wrong = judge({line}, line); !wrong.empty()) add(name, number, line, wrong);
            if (name == "outgoingip" || name == "ipversions") continue;
            const auto [first, fresh] =
                seen.emplace(comparable(key_of(line.substr(0, line.find('|')))), number);
            if (!fresh)
                add(name, number, line,
                    "line " + std::to_string(first->second) + " is for the same, and counts");
        }
    }

    void add(const std::string& name, std::size_t number, std::string_view line, const std::string& text) {
        const std::string shown =
            control::may_hold_passwords(name) ? control::without_password(line) : std::string(line);
        findings_.push_back(
            {"control/" + name, true, "line " + std::to_string(number) + " \"" + shown + "\": " + text});
    }

    // What the line, alone in its file, is good for.
    static std::string example(std::string_view line) {
        const std::string_view key = key_of(line.substr(0, line.find('|')));
        return key.starts_with('.') ? "x" + std::string(key) : std::string(key);
    }
    static std::string example_sender(std::string_view line) {
        std::string key(key_of(line.substr(0, line.find('|'))));
        if (key.empty()) return key;
        const std::size_t at = key.find('@');
        if (at == std::string::npos) key.insert(0, "@");
        if (at == 0 || at == std::string::npos) key.insert(0, "x");
        if (const std::size_t dot = key.find("@."); dot != std::string::npos) key.insert(dot + 1, "x");
        return key;
    }

    std::string route(std::string_view line, const Route& route) const {
        if (!route.usable) return route.complaint + ": mail for it waits";
        // "smtp.example.org:587|user|password": the colon before the host was forgotten.
        if (!route.host.empty() && route.host.find_first_not_of("0123456789") == std::string::npos &&
            line.find('.') < line.find(':'))
            return "a host that is a number: was :" + std::string(line.substr(0, line.find('|'))) + " meant?";
        return "";
    }

    std::string destination(std::string_view line) const {
        // By the file's own reader, which knows where the name ends.
        const TlsDestinations one({std::string(line)});
        const TlsPolicy& policy = one.only();
        if (!policy.usable) return policy.complaint + ": mail for it waits";
        if (policy.ca_file.empty()) return "";
        const std::string path =
            policy.ca_file.starts_with('/') ? policy.ca_file : home_.control_file(policy.ca_file);
        return ::access(path.c_str(), F_OK) == 0 ? "" : "there is no file " + path + ": mail for it waits";
    }

    std::string source(const Source& source) {
        if (!source.usable) return source.complaint + ": mail for it waits";
        for (const std::string& address : {source.v4, source.v6})
            if (!address.empty() && !ours_.contains(address) && kind_of(address) != AddressKind::ours)
                return address + " is no address of this host: mail cannot leave from it";
        return "";
    }

    const control::Home& home_;
    LocalAddresses ours_;
    std::vector<control::Finding> findings_;
};

}  // namespace

std::vector<control::Finding> check_route_files(const control::Home& home) {
    return Check(home).run();
}

}  // namespace relais::remote
