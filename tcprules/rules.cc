#include "tcprules/rules.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/cdb.h"
#include "base/error.h"
#include "tcprules/address.h"

namespace relais::tcprules {
namespace {

std::optional<Ipv6> client_ipv6(std::string_view text) {
    return parse_ipv6(text.substr(0, text.find('%')));
}

// The client's address in the spellings that keys may have; the first is ours.
std::vector<std::string> spellings(const std::string& ip) {
    const auto ipv6 = client_ipv6(ip);
    if (!ipv6) return {ip};
    if (const auto ipv4 = mapped_ipv4(*ipv6)) return {ipv4_text(*ipv4)};
    std::vector<std::string> result{ipv6_key(*ipv6)};
    char standard[INET6_ADDRSTRLEN];
    ::inet_ntop(AF_INET6, ipv6->data(), standard, sizeof standard);
    for (const std::string& other : {std::string(standard), ip})
        if (std::find(result.begin(), result.end(), other) == result.end()) result.push_back(other);
    return result;
}

// "192.0.2.", "192.0.", "192."
void add_dotted_prefixes(const std::string& ip, std::vector<std::string>& keys) {
    for (std::size_t size = ip.size(); size > 0; --size)
        if (ip[size - 1] == '.') keys.push_back(ip.substr(0, size));
}

// The parts of an IPv6 key that end with a colon, by the number of bits they fix; longest first.
std::vector<Key> colon_prefixes(const std::string& key) {
    std::vector<Key> prefixes;
    unsigned written = 0;
    for (std::size_t i = 0; i < key.size(); ++i) written += key[i] != ':' && (i == 0 || key[i - 1] == ':');
    unsigned groups = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] != ':') continue;
        if (i > 0) groups += key[i - 1] != ':' ? 1 : 8 - written;
        prefixes.insert(prefixes.begin(), {key.substr(0, i + 1), 16 * groups});
    }
    return prefixes;
}

void add_ipv6_prefixes(const Ipv6& ip, std::vector<std::string>& keys) {
    const std::vector<Key> prefixes = colon_prefixes(ipv6_key(ip));
    auto prefix = prefixes.begin();
    for (unsigned length = 128; length-- > 0;) {
        for (; prefix != prefixes.end() && prefix->bits > length; ++prefix) keys.push_back(prefix->text);
        keys.push_back(ipv6_network_key(ip, length));
    }
    for (; prefix != prefixes.end(); ++prefix) keys.push_back(prefix->text);
}

}  // namespace

std::vector<std::string> keys_of_client(const Client& client) {
    const std::vector<std::string> ips = spellings(client.ip);
    std::vector<std::string> keys;
    if (client.info) {
        for (const std::string& ip : ips) keys.push_back(*client.info + "@" + ip);
        if (client.host) keys.push_back(*client.info + "@=" + *client.host);
    }
    keys.insert(keys.end(), ips.begin(), ips.end());
    if (client.host) keys.push_back("=" + *client.host);
    const auto ipv6 = client_ipv6(client.ip);
    if (ipv6 && !mapped_ipv4(*ipv6))
        add_ipv6_prefixes(*ipv6, keys);
    else
        add_dotted_prefixes(ips.front(), keys);
    if (client.host) {
        for (std::size_t dot = client.host->find('.'); dot != std::string::npos;
             dot = client.host->find('.', dot + 1))
            keys.push_back("=" + client.host->substr(dot));
        keys.emplace_back("=");
    }
    keys.emplace_back();
    return keys;
}

// Items ended by NUL: D, or +NAME=value. Nothing after D counts; what has no NUL or another letter is not for
// us.
Decision decode_record(std::string key, std::string_view data) {
    Decision decision;
    decision.rule = std::move(key);
    for (std::size_t end = data.find('\0'); end != std::string_view::npos; end = data.find('\0')) {
        const std::string_view item = data.substr(0, end);
        data.remove_prefix(end + 1);
        if (item.starts_with('D')) {
            decision.allow = false;
            break;
        }
        if (!item.starts_with('+')) continue;
        const std::size_t equals = std::min(item.find('='), item.size());
        decision.variables.emplace_back(item.substr(1, equals - 1),
                                        equals < item.size() ? item.substr(equals + 1) : std::string_view());
    }
    return decision;
}

struct RulesFile::State {
    CdbReader cdb;
};

RulesFile::RulesFile(const std::string& path) : state_(new State{CdbReader(path)}) {}
RulesFile::~RulesFile() = default;

Decision RulesFile::look_up(const Client& client) const {
    for (std::string& key : keys_of_client(client))
        if (const auto data = state_->cdb.find(key)) return decode_record(std::move(key), *data);
    return {};
}

void RulesFile::for_each(const std::function<void(const Decision& record)>& visit) const {
    state_->cdb.for_each(
        [&](std::string_view key, std::string_view data) { visit(decode_record(std::string(key), data)); });
}

void RulesFile::check() const {
    state_->cdb.for_each([&](std::string_view key, std::string_view) {
        if (!state_->cdb.find(key)) throw_permanent("a record is not found by its key");
    });
}

}  // namespace relais::tcprules
