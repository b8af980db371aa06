#include "sts/cache.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "sts/protocol.h"

namespace relais::sts {
namespace {

constexpr std::size_t file_limit = policy_limit + 256;
constexpr std::int64_t a_day = 86400;
constexpr std::int64_t in_use = 30 * a_day;
constexpr std::int64_t between_tries = 3600;

std::optional<std::int64_t> parse_time(std::string_view text) {
    const auto number = text.size() <= 12 ? parse_number(text) : std::nullopt;
    return number ? std::optional(static_cast<std::int64_t>(*number)) : std::nullopt;
}

std::vector<std::string> names_in(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) throw_errno("open", path);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory.get()))
        if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    return names;
}

}  // namespace

std::string encode_entry(const Entry& entry) {
    return entry.id + "\n" + std::to_string(entry.fetched) + " " + std::to_string(entry.ends) + "\n" +
           text_of(entry.policy);
}

std::optional<Entry> decode_entry(std::string_view text) {
    const std::size_t first = text.find('\n');
    if (first == std::string_view::npos || first > id_limit) return std::nullopt;
    Entry entry;
    entry.id = text.substr(0, first);
    text.remove_prefix(first + 1);
    const std::size_t second = text.find('\n');
    if (second == std::string_view::npos) return std::nullopt;
    const auto times = split(text.substr(0, second), ' ');
    if (times.size() != 2) return std::nullopt;
    const auto fetched = parse_time(times[0]), ends = parse_time(times[1]);
    auto policy = parse_policy(text.substr(second + 1));
    if (!fetched || !ends || !policy) return std::nullopt;
    entry.policy = *std::move(policy);
    entry.fetched = *fetched;
    entry.ends = *ends;
    return entry;
}

Cache::Cache(std::string directory, std::size_t most, std::int64_t now)
    : directory_(std::move(directory)), most_(most) {
    std::vector<std::string> names;
    try {
        names = names_in(directory_);
    } catch (const Error& error) {
        log_line(std::string("alert: policies are kept in memory alone: ") + error.what() +
                 " (qmail-setup --repair)");
    }
    for (const std::string& name : names) {
        std::optional<Entry> entry;
        try {
            if (const auto text = read_file(directory_ + "/" + name, file_limit)) entry = decode_entry(*text);
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
        }
        // A clock that was wrong must not make a policy last for ever.
        if (entry && is_domain(name) && entry->ends > now && entry->fetched <= now &&
            entry->ends - entry->fetched <= longest_age && entries_.size() < most_) {
            entry->used = now;
            entries_.emplace(name, *std::move(entry));
        } else {
            remove(name);
        }
    }
}

Entry* Cache::find(const std::string& domain, std::int64_t now) {
    const auto found = entries_.find(domain);
    if (found == entries_.end()) return nullptr;
    if (found->second.ends <= now) return remove(domain), nullptr;
    found->second.used = now;
    return &found->second;
}

void Cache::put(const std::string& domain, Entry entry, std::int64_t now) {
    entry.used = now;
    if (!entries_.contains(domain) && entries_.size() >= most_) {
        const auto first =
            std::min_element(entries_.begin(), entries_.end(),
                             [](const auto& a, const auto& b) { return a.second.ends < b.second.ends; });
        remove(std::string(first->first));
    }
    const std::string text = encode_entry(entry);
    entries_[domain] = std::move(entry);
    tried_.erase(domain);
    replace_file(directory_ + "/" + domain, text, 0600);
}

std::optional<std::string> Cache::due(std::int64_t now) {
    for (auto& [domain, entry] : entries_) {
        const std::int64_t age = now - entry.fetched;
        if (now - entry.used > in_use || age < std::min((entry.ends - entry.fetched) / 2, a_day)) continue;
        const auto tried = tried_.find(domain);
        if (tried != tried_.end() && now - tried->second < between_tries) continue;
        tried_[domain] = now;
        return domain;
    }
    return std::nullopt;
}

void Cache::remove(const std::string& domain) {
    entries_.erase(domain);
    tried_.erase(domain);
    ::unlink((directory_ + "/" + domain).c_str());
}

}  // namespace relais::sts
