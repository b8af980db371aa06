#include "dmarcrpt/letter.h"

#include <fmt/core.h>

#include "base/octets.h"
#include "base/time.h"
#include "dmarcrpt/destinations.h"
#include "net/dns_name.h"
#include "sasl/base64.h"

namespace relais::dmarcrpt {
namespace {

constexpr std::size_t line_size = 76;
constexpr char boundary[] = "=_dmarc_report_=";

void put(std::string& to, std::string_view text) {
    append_le(to, text.size(), 4);
    to += text;
}

std::optional<std::string_view> take(std::string_view& from) {
    if (from.size() < 4) return std::nullopt;
    const std::size_t size = get_le(from, 0, 4);
    if (size > packet_limit || from.size() - 4 < size) return std::nullopt;
    const std::string_view text = from.substr(4, size);
    from.remove_prefix(4 + size);
    return text;
}

std::optional<std::uint64_t> take_number(std::string_view& from) {
    if (from.size() < 8) return std::nullopt;
    const std::uint64_t number = get_le(from, 0, 8);
    from.remove_prefix(8);
    return number;
}

std::optional<Packet> take_packet(std::string_view& from) {
    if (from.empty() || std::string_view("SNL").find(from.front()) == std::string_view::npos)
        return std::nullopt;
    const auto fate = static_cast<Fate>(from.front());
    from.remove_prefix(1);
    const auto domain = take(from);
    const auto begin = domain ? take_number(from) : std::nullopt;
    const auto end = begin ? take_number(from) : std::nullopt;
    const auto count = end ? take_number(from) : std::nullopt;
    if (!count || *count > destinations_limit || !net::is_askable_name(*domain)) return std::nullopt;
    if ((fate == Fate::send) != (*count > 0)) return std::nullopt;
    Packet packet{fate, std::string(*domain), *begin, *end};
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto address = take(from);
        // As it left address_of, which makes nothing else of it.
        if (!address || address_of("mailto:" + std::string(*address)) != *address) return std::nullopt;
        packet.to.emplace_back(*address);
    }
    const auto content = take(from);
    if (!content) return std::nullopt;
    packet.content = *content;
    return packet;
}

std::string folded(const std::string& base64) {
    std::string text;
    for (std::size_t at = 0; at < base64.size(); at += line_size) text += base64.substr(at, line_size) + "\n";
    return text;
}

}  // namespace

std::string encode(const std::vector<Packet>& packets) {
    std::string text;
    for (const Packet& packet : packets) {
        text += static_cast<char>(packet.fate);
        put(text, packet.domain);
        append_le(text, packet.begin, 8);
        append_le(text, packet.end, 8);
        append_le(text, packet.to.size(), 8);
        for (const std::string& address : packet.to) put(text, address);
        put(text, packet.content);
    }
    return text;
}

std::optional<std::vector<Packet>> decode_packets(std::string_view text) {
    std::vector<Packet> packets;
    while (!text.empty()) {
        auto packet = take_packet(text);
        if (!packet) return std::nullopt;
        packets.push_back(*std::move(packet));
    }
    return packets;
}

std::string letter_of(const Packet& packet, const Reporter& reporter, std::int64_t now) {
    std::string to;
    for (const std::string& address : packet.to) to += (to.empty() ? "" : ",\n ") + address;
    const std::string id = fmt::format("{}.{}.{}", packet.begin, packet.domain, reporter.host);
    const std::string name =
        fmt::format("{}!{}!{}!{}.xml.gz", reporter.host, packet.domain, packet.begin, packet.end);
    return fmt::format(
               "Date: {}\nFrom: {}\nTo: {}\nMessage-ID: <dmarc.{}.{}@{}>\n"
               "Subject: Report Domain: {}\n Submitter: {}\n Report-ID: <{}>\nAuto-Submitted: "
               "auto-generated\n"
               "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{}\"\n\n"
               "--{}\nContent-Type: text/plain; charset=us-ascii\n\n"
               "{} reports what it saw of mail in the name of {} (DMARC),\nin the day from {}.\n\n"
               "--{}\nContent-Type: application/gzip; name=\"{}\"\nContent-Transfer-Encoding: base64\n"
               "Content-Disposition: attachment; filename=\"{}\"\n\n",
               date_822(now), reporter.address, to, packet.begin, packet.domain, reporter.host, packet.domain,
               reporter.host, id, boundary, boundary, reporter.organization, packet.domain,
               date_822(static_cast<std::int64_t>(packet.begin)), boundary, name, name) +
           folded(sasl::encode_base64(packet.content)) + "--" + boundary + "--\n";
}

}  // namespace relais::dmarcrpt
