#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "explain/audit.h"
#include "explain/plain.h"
#include "opensmtp/entry.h"

namespace relais::explain {
namespace {

// From these sizes on, of public addresses that relay, it is strangers who do.
constexpr double open_ipv4 = 16777216;  // a /8
constexpr double wide_ipv4 = 65536;     // a /16
constexpr double open_ipv6 = 65536;     // a /16, in networks of 32 bits
constexpr double wide_ipv6 = 1;         // a /32, what one provider has
// Places named in one sentence.
constexpr std::size_t named_at_most = 3;

std::optional<std::string> value_of(const tcprules::Decision& record, std::string_view name) {
    for (const auto& [variable, value] : record.variables)
        if (variable == name) return value;
    return std::nullopt;
}

bool relays(const tcprules::Decision& record) {
    return record.allow && value_of(record, "RELAYCLIENT").has_value();
}

std::string line_text(const tcprules::TextLine& line) {
    return fmt::format("{} line {} \"{}\"", line.file, line.number, plain(line.text));
}

std::string names(const std::vector<std::string>& all) {
    std::string text;
    for (std::size_t i = 0; i < std::min(all.size(), named_at_most); ++i)
        text += (i == 0 ? "" : ", ") + plain(all[i]);
    if (all.size() > named_at_most) text += fmt::format(" and {} more", all.size() - named_at_most);
    return text.empty() ? "many small rules" : text;
}

// How many public addresses relay by keys that are no rule for everybody.
class Width {
  public:
    void add(const std::string& key, const std::string& place) {
        const Breadth breadth = breadth_of_key(key);
        all_.ipv4 += breadth.ipv4;
        all_.ipv6 += breadth.ipv6;
        if (breadth.ipv4 < wide_ipv4 && breadth.ipv6 < wide_ipv6) return;
        if (std::find(places_.begin(), places_.end(), place) == places_.end()) places_.push_back(place);
    }
    bool is_open() const { return all_.ipv4 >= open_ipv4 || all_.ipv6 >= open_ipv6; }
    bool is_wide() const { return all_.ipv4 >= wide_ipv4 || all_.ipv6 > wide_ipv6; }
    std::string text() const {
        std::string text;
        if (all_.ipv4 >= wide_ipv4) text = fmt::format("{:.0f} public IPv4 addresses", all_.ipv4);
        if (all_.ipv6 > wide_ipv6)
            text += fmt::format("{}IPv6 networks as large as {:.0f} providers have",
                                text.empty() ? "" : " and ", all_.ipv6);
        return text + " may relay by " + names(places_);
    }

  private:
    Breadth all_;
    std::vector<std::string> places_;
};

class RulesAudit {
  public:
    RulesAudit(const Listener& listener, const RulesOfServer& rules, std::int64_t lifetime,
               std::vector<AuditFinding>& findings)
        : listener_(listener), rules_(rules), lifetime_(lifetime), findings_(findings) {}

    void run() {
        if (listener_.relays_all)
            add(Level::open_relay,
                fmt::format("the run script of {} sets RELAYCLIENT: everybody relays", listener_.name),
                "take it out of service/" + listener_.name + "/run");
        if (rules_.path.empty()) return;
        if (!rules_.source_trouble.empty()) add(Level::wrong, rules_.source_trouble, "");
        const std::string trouble = cdb_trouble();
        if (!trouble.empty())
            add(Level::wrong, fmt::format("{}: nobody can connect to {}", trouble, listener_.name),
                "qmailctl cdb");
        if (trouble.empty()) look_at_cdb();
        const bool opens = rules_.text && what_text_opens();
        if (rules_.text) look_at_text(opens ? "mend the text first, then qmailctl cdb" : "qmailctl cdb");
    }

  private:
    void add(Level level, std::string text, std::string remedy) {
        findings_.push_back({level, std::move(text), std::move(remedy)});
    }

    // Why the cdb is no use to a server, also where it was cut or overwritten.
    std::string cdb_trouble() const {
        if (!rules_.cdb) return rules_.trouble;
        try {
            rules_.cdb->check();
        } catch (const Error& error) {
            return fmt::format("{} is damaged ({})", rules_.path, plain(error.what()));
        }
        return "";
    }

    // What the server becomes when the cdb is made of the text. False if it becomes no open relay that it is
    // not yet.
    bool what_text_opens() {
        Width width;
        const std::size_t before = findings_.size();
        for (const tcprules::TextLine& line : rules_.text->lines()) {
            if (line.rule() == nullptr || !relays(line.decision())) continue;
            for (const tcprules::Key& key : line.rule()->keys) {
                if (rules_.text->line_of(key.text) != &line || open_keys_.contains(key.text)) continue;
                if (is_everybody(key.text) || (listener_.names && key.text == "="))
                    add(Level::open_relay_soon, line_text(line) + " will let everybody relay",
                        "take RELAYCLIENT out of it");
                else
                    width.add(key.text, line_text(line));
            }
        }
        if (width.is_open() && !width_.is_open())
            add(Level::open_relay_soon, width.text(), "name the addresses of your own clients");
        return findings_.size() > before;
    }

    static bool is_everybody(const std::string& key) { return key.empty() || key == "::/0"; }

    // "tcp.smtp line 3 ...", or the key where the text has no such rule.
    std::string place_of(const std::string& key) const {
        const auto* line = rules_.text ? rules_.text->line_of(key) : nullptr;
        return line != nullptr ? line_text(*line)
                               : fmt::format("the key \"{}\" in {}", plain(key), rules_.path);
    }

    void look_at_text(std::string compile) {
        const auto& lines = rules_.text->lines();
        if (const auto* wrong = rules_.text->first_wrong())
            add(Level::wrong,
                fmt::format("{}: {}; because of it tcprules refuses the whole file", line_text(*wrong),
                            std::get<tcprules::Wrong>(wrong->parsed).reason),
                "mend the line, then qmailctl cdb");
        else if (rules_.older)
            add(Level::wrong,
                fmt::format("{} is older than its text: what was changed does not count yet", rules_.path),
                std::move(compile));
        const tcprules::TextLine* first_ipv6 = nullptr;
        for (const tcprules::TextLine& line : lines) {
            if (line.rule() == nullptr) continue;
            look_at_line(line);
            if (first_ipv6 == nullptr && is_ipv6_rule(line)) first_ipv6 = &line;
        }
        // Who has compiled it since knows, or has another tcprules.
        if (rules_.older && first_ipv6 != nullptr && first_ipv6->file == "tcp.smtp")
            add(Level::note,
                line_text(*first_ipv6) +
                    " names an IPv6 address: the tcprules of an IPv4-only ucspi-tcp refuses "
                    "the whole file and leaves the old cdb; build it with qmailctl cdb",
                "");
    }

    static bool is_ipv6_rule(const tcprules::TextLine& line) {
        return line.address.find(':') != std::string::npos;
    }

    void look_at_line(const tcprules::TextLine& line) {
        const tcprules::Rule& rule = *line.rule();
        if (rule.keys.empty() || !can_match(line.address)) {
            const bool dot = line.address.find_first_not_of("0123456789.") == std::string::npos &&
                             std::count(line.address.begin(), line.address.end(), '.') < 3;
            add(Level::wrong, line_text(line) + " matches no address",
                dot ? "it lacks its final dot: " + line.address + ".:"
                    : "an address, a prefix with its final dot, a network, or =name");
        } else if (line.counting_keys == 0) {
            look_at_hidden_line(line, rules_.text->line_of(rule.keys.front().text));
        } else if (line.address.find('=') != std::string::npos && !listener_.names) {
            add(Level::wrong,
                line_text(line) + " goes by name, and " + listener_.name +
                    " looks no names up (tcpserver -H)",
                "write the address");
        }
        const auto value = value_of(line.decision(), "RELAYCLIENT");
        if (!value || value->empty()) return;
        if (trim(*value).empty())
            add(Level::wrong,
                line_text(line) + " sets RELAYCLIENT to blanks: qmail appends them to every recipient",
                "write RELAYCLIENT=\"\"");
        else
            add(Level::note, line_text(line) + " appends \"" + plain(*value) + "\" to every recipient", "");
    }

    // An earlier line decides all of its addresses. A line of tcp.smtp below tcp.smtp6 still counts for IPv4.
    void look_at_hidden_line(const tcprules::TextLine& line, const tcprules::TextLine* first) {
        if (first != nullptr && first->file != line.file && !is_ipv6_rule(line)) return;
        add(Level::wrong,
            line_text(line) + " never counts: " + (first != nullptr ? line_text(*first) : "an earlier line") +
                " decides all of its addresses",
            "remove one of the two");
    }

    // False for a key that no client's address can ask for.
    static bool can_match(const std::string& address) {
        if (address.empty() || address.find_first_of(":=@/") != std::string::npos) return true;
        const bool prefix = address.ends_with('.');
        const auto parts = split(std::string_view(address).substr(0, address.size() - (prefix ? 1 : 0)), '.');
        if (parts.size() > 4 || (parts.size() == 4) == prefix) return false;
        return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
            const auto dash = part.find('-');
            const auto first = parse_number(part.substr(0, dash));
            return dash != std::string_view::npos ||
                   (first && *first <= 255 && std::to_string(*first) == part);
        });
    }

    void look_at_cdb() {
        std::set<std::string> seen;
        rules_.cdb->for_each([&](const tcprules::Decision& record) {
            if (!seen.insert(*record.rule).second || !relays(record)) return;
            open_keys_.insert(*record.rule);
            look_at_key(record);
        });
        if (width_.is_open())
            add(Level::open_relay, width_.text(), "name the addresses of your own clients");
        else if (width_.is_wide())
            add(Level::note, width_.text() + "; are they all yours?", "");
        merged();
    }

    void look_at_key(const tcprules::Decision& record) {
        const std::string& key = *record.rule;
        if (is_everybody(key))
            return add(Level::open_relay, place_of(key) + " lets everybody relay",
                       "take RELAYCLIENT out of it");
        if (key.starts_with('=') && listener_.names) return look_at_name(key);
        if (key == ":" || key == "::")
            return add(
                Level::wrong,
                place_of(key) + " is no rule for all of IPv6, and another tcpserver may take it for one",
                "remove it");
        const auto* line = rules_.text ? rules_.text->line_of(key) : nullptr;
        if (const auto time = value_of(record, "OPENSMTP")) {
            ++merged_;
            const auto seconds = parse_number(*time);
            if (!seconds || now_seconds() - static_cast<std::int64_t>(*seconds) >= lifetime_)
                ++merged_expired_;
        } else if (rules_.text && line == nullptr && !rules_.older) {
            unexplained_.push_back(key);
        }
        width_.add(key, place_of(key));
    }

    void look_at_name(const std::string& key) {
        const bool open = key == "=" || std::count(key.begin(), key.end(), '.') <= 1;
        add(open ? Level::open_relay : Level::note,
            place_of(key) + (key == "=" ? " lets every address relay that has a name"
                                        : " relays by name: whoever owns an address can give it such a name"),
            open ? "take RELAYCLIENT out of it" : "");
    }

    void merged() {
        if (merged_expired_ > 0)
            add(Level::wrong,
                fmt::format("{} of {} logins that were merged into {} have expired and relay still",
                            merged_expired_, merged_, rules_.path),
                "qmailctl cdb; a cdb with logins must be made anew every few minutes");
        else if (merged_ > 0)
            add(Level::note,
                fmt::format("{} logins are merged into {}: there they do not expire by themselves", merged_,
                            rules_.path),
                "");
        if (!unexplained_.empty())
            add(Level::wrong,
                fmt::format("{} keys of {} let relay and stand in no text (logins of a vpopmail?): they "
                            "never expire: {}",
                            unexplained_.size(), rules_.path, names(unexplained_)),
                "qmailctl cdb");
    }

    const Listener& listener_;
    const RulesOfServer& rules_;
    std::int64_t lifetime_;
    std::vector<AuditFinding>& findings_;
    Width width_;
    std::set<std::string> open_keys_;  // of the cdb, that relay
    std::vector<std::string> unexplained_;
    std::size_t merged_ = 0;
    std::size_t merged_expired_ = 0;
};

// Whether the first server that this address of loopback can reach lets it relay; nothing if there is no such
// server, or its rules cannot be read.
std::optional<bool> loopback_relays(const std::vector<Listener>& all, const std::string& address) {
    const bool ipv6 = address.find(':') != std::string::npos;
    const auto listener = std::find_if(all.begin(), all.end(), [ipv6](const Listener& each) {
        return each.takes(ipv6) && !each.submission;
    });
    if (listener == all.end()) return std::nullopt;
    try {
        const RulesOfServer rules = RulesOfServer::read(*listener);
        if (rules.cdb) return relays(rules.cdb->look_up({address, {}, {}}));
    } catch (const Error&) {
        // audit_rules tells.
    }
    return std::nullopt;
}

}  // namespace

void audit_loopback(const std::vector<Listener>& all, std::vector<AuditFinding>& findings) {
    const auto ipv4 = loopback_relays(all, "127.0.0.1");
    const auto ipv6 = loopback_relays(all, "::1");
    if (!ipv4 || !ipv6 || *ipv4 == *ipv6) return;
    const std::string missing = *ipv4 ? "::1" : "127.0.0.1";
    const auto sources = sources_of(choose_listener(all, "", *ipv4).rules);
    findings.push_back({Level::note,
                        fmt::format("{} may relay and {} may not: programs on this host (webmail) use both",
                                    *ipv4 ? "127.0.0.1" : "::1", missing),
                        fmt::format("{}:allow,RELAYCLIENT=\"\" in {}", missing,
                                    sources.empty() ? "the rules" : sources.front())});
}

void audit_rules(const Listener& listener, const RulesOfServer& rules, std::int64_t lifetime,
                 std::vector<AuditFinding>& findings) {
    RulesAudit(listener, rules, lifetime, findings).run();
}

}  // namespace relais::explain
