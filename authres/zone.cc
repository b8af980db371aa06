#include "authres/zone.h"

#include <algorithm>

#include "authres/zone_text.h"
#include "base/error.h"
#include "base/file.h"

namespace relais::authres {
namespace {

// Real resolvers follow about as many.
constexpr int alias_limit = 10;

}  // namespace

Zone Zone::read(const std::string& path) {
    const auto text = read_file(path, zone_limit);
    if (!text) throw_permanent("unable to read " + path + ": no such file");
    return parse(*text, path);
}

bool Zone::exists(const std::string& key) const {
    const auto at = nodes_.lower_bound(key);
    return at != nodes_.end() && at->first.starts_with(key);
}

const Zone::Node* Zone::find(const std::string& key, bool& exists_below) const {
    exists_below = exists(key);
    if (const auto at = nodes_.find(key); at != nodes_.end()) return &at->second;
    if (exists_below) return nullptr;
    // The closest name above that exists may have a wildcard below it (RFC 4592, 3.3.1).
    std::string encloser = key;
    while (!encloser.empty() && !exists(encloser)) encloser.resize(last_label_at(encloser));
    const auto wildcard = nodes_.find(encloser + std::string("\1*"));
    if (wildcard == nodes_.end()) return nullptr;
    exists_below = true;
    return &wildcard->second;
}

net::DnsAnswer Zone::answer(net::RecordType type, std::string_view name) const {
    using net::DnsAnswer, net::DnsStatus;
    DnsAnswer answer;
    answer.canonical_name = without_final_dot(name);
    for (int hop = 0; hop <= alias_limit; ++hop) {
        const auto key = name_key(answer.canonical_name);
        bool exists_below = false;
        const Node* node = key ? find(*key, exists_below) : nullptr;
        answer.status = exists_below ? DnsStatus::no_such_record : DnsStatus::no_such_name;
        if (!node) return answer;
        if (std::count(node->silent.begin(), node->silent.end(), type) != 0) break;
        const Record* alias = nullptr;
        for (const Record& record : node->records) {
            if (record.type == net::RecordType::cname) alias = &record;
            if (record.type != type) continue;
            answer.ttl = answer.records.empty() ? record.ttl : std::min(answer.ttl, record.ttl);
            answer.records.push_back(record.data);
        }
        if (!answer.records.empty()) {
            answer.status = DnsStatus::found;
            return answer;
        }
        if (!alias && !node->otherwise_silent) return answer;
        if (!alias) break;
        answer.canonical_name = alias->data.text;
    }
    return DnsAnswer{};
}

std::vector<net::DnsAnswer> ZoneDns::ask_all(std::span<const net::DnsQuestion> questions, Deadline) {
    std::vector<net::DnsAnswer> answers;
    for (const auto& [type, name] : questions) answers.push_back(zone_.answer(type, name));
    return answers;
}

}  // namespace relais::authres
