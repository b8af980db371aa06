#include "control/line_faults.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/words.h"
#include "control/block_lists.h"
#include "control/check_modes.h"
#include "control/control_file.h"
#include "control/destination_limits.h"
#include "control/milters.h"
#include "control/rate_limits.h"
#include "control/secret_file.h"

namespace relais::control {
namespace {

// "x", which is no limit, for a line without a colon.
std::string_view after_colon(std::string_view line) {
    const std::size_t colon = line.find(':');
    return colon == std::string_view::npos ? "x" : line.substr(colon + 1);
}

// Whoever may say for whom he speaks has the rights of every address.
void add_front_end_faults(std::string_view file, std::string_view line, std::vector<std::string>& faults) {
    const auto words = words_of(line);
    const std::string network(words.empty() ? "" : words.front());
    const std::string address = network.substr(0, network.find('/'));
    std::array<char, sizeof(in6_addr)> octets{};
    const bool ipv4 = ::inet_pton(AF_INET, address.c_str(), octets.data()) == 1;
    if (!ipv4 && ::inet_pton(AF_INET6, address.c_str(), octets.data()) != 1)
        faults.push_back(quoted(line) + " is no address and no network: it does not count");
    else if (file == "xclient" && words.size() > 1 && (words.size() > 2 || words[1] != "login"))
        faults.push_back(quoted(line) + ": behind a network nothing may stand but login: it does not count");
    else if (network.ends_with("/0"))
        faults.push_back(quoted(line) +
                         " is everybody: anybody may take any address, and its right to relay");
    else if (address.starts_with("127.") || address == "::1")
        faults.push_back(
            quoted(line) +
            " is loopback: every user and program of this host may take any address, and its right to "
            "relay");
}

// summary/words reads it.
bool is_summary(std::string_view line) {
    const auto words = words_of(line);
    return !words.empty() && words.size() <= 2 && (words[0] == "daily" || words[0] == "weekly");
}

}  // namespace

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

bool is_domain(std::string_view text) {
    return !text.empty() && text.size() <= 255 && text.find_first_of(" \t@:/,;\"") == std::string_view::npos;
}

std::vector<std::string> line_faults(const ControlFile& row, const std::string& line) {
    std::vector<std::string> faults;
    if (row.kind == FileKind::domains && !is_domain(line)) faults.push_back(quoted(line) + " is no domain");
    if ((row.name == "virtualdomains" || row.name == "smtproutes" || row.name == "authsenders" ||
         row.name == "lmtproutes" || row.name == "qmtproutes" || row.name == "domainips") &&
        line.find(':') == std::string::npos && !has_password(line))
        faults.push_back(quoted(line) + " has no colon: it does not count");
    if (row.name == "destinationlimits" && !parse_destination_limit(after_colon(line)))
        faults.push_back(quoted(line) + " is not domain:connections:messages:rate: it does not count");
    const bool senders = row.name == "badmailfrom" || row.name == "badmailfromnorelay";
    if (senders && line.find_first_of("@*") == std::string::npos)
        faults.push_back(quoted(line) + " has no @: it matches nothing");
    if ((senders || row.name == "badhelo" || row.name == "badrcptto") &&
        line.find_first_of("\\^$") != std::string::npos)
        faults.push_back(quoted(line) + " looks like a regular expression, which this is not");
    if (row.name == "dnsbllist" && !BlockLists::fault(line).empty())
        faults.push_back(BlockLists::fault(line) + ": it does not count");
    if (row.name == "milters" && !milter_fault(line).empty())
        faults.push_back(milter_fault(line) + ": mail from the network waits");
    if (row.name == "ratelimits" && !parse_rate_limit(line))
        faults.push_back(quoted(line) + " is not WHAT of WHOM NUMBER/SPAN: it does not count");
    if (row.name == "proxyhosts" || row.name == "xclient") add_front_end_faults(row.name, line, faults);
    if (row.name == "summary" && !is_summary(line))
        faults.push_back(quoted(line) +
                         " is not daily or weekly, with an address or without: nothing is sent");
    if (row.name == "dmarcreports" &&
        line.substr(0, line.find_first_of(" \t")).find('@') == std::string::npos)
        faults.push_back(quoted(line) + " is not ADDRESS ORGANISATION: no reports are sent");
    if (row.name == "checks" && !CheckModes::fault(line).empty())
        faults.push_back(CheckModes::fault(line) + ": the line does not count");
    return faults;
}

std::vector<std::string> word_faults(const ControlFile& row, std::string_view line) {
    std::vector<std::string> faults;
    const auto known = split(row.words, ' ');
    std::string all;
    for (const std::string_view word : known) all += (all.empty() ? "" : ", ") + std::string(word);
    for (const std::string_view word : split(line, ' '))
        if (!word.empty() && std::none_of(known.begin(), known.end(), [&](const std::string_view each) {
                return equal_ignoring_case(word, each);
            }))
            faults.push_back(quoted(word) + " is no word of it: " + all);
    return faults;
}

}  // namespace relais::control
