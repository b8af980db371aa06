#include "send/delivery_protocol.h"

#include <algorithm>
#include <cstring>

namespace relais::send {
namespace {

constexpr std::string_view local_magic = "RL3\n";
constexpr std::string_view remote_magic = "RR3\n";
constexpr std::string_view report_magic = "RP2\n";
constexpr std::string_view old_report_magic = "RP1\n";  // without status, diagnostic and server
constexpr std::string_view under_way_magic = "RU1\n";
constexpr std::string_view end_of_list = "RZ1\n";
constexpr std::string_view taken_magic = "RT1\n";
constexpr std::string_view cut_magic = "RC1\n";
constexpr std::string_view retire = "RE1\n";
constexpr std::size_t local_order_size = 4 + 3 * 8 + 4 + 2 * address_field;
// What a report spends beside its texts: head, group, server; and for each recipient the outcome, three
// lengths and the status.
constexpr std::size_t report_head_limit = 3072;
constexpr std::size_t status_limit = 16;
constexpr std::size_t recipient_head = 1 + 3 * 4 + status_limit;
constexpr std::size_t server_limit = 255;

void put_number(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

void put_string(std::string& out, std::string_view text) {
    put_number(out, text.size(), 4);
    out += text;
}

void put_field(std::string& out, std::string_view address) {
    address = address.substr(0, address_field - 1);
    out += address;
    out.append(address_field - address.size(), '\0');
}

// Takes values off the front of a packet; once something was missing, everything is.
class Taker {
  public:
    explicit Taker(std::string_view rest) : rest_(rest) {}

    std::uint64_t number(std::size_t octets) {
        const std::string_view part = octets_of(octets);
        std::uint64_t value = 0;
        for (std::size_t i = part.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(part[i]);
        return value;
    }
    std::uint32_t index() { return static_cast<std::uint32_t>(number(4)); }
    std::string string() { return std::string(octets_of(number(4))); }
    std::string address() {
        std::string text = string();
        if (text.size() >= address_field || text.find('\0') != std::string::npos) good_ = false;
        return text;
    }
    std::string field() {
        const std::string_view part = octets_of(address_field);
        const std::size_t end = part.find('\0');
        // Only one form for one address: the rest of the field must be zero.
        if (end == std::string_view::npos || part.find_first_not_of('\0', end) != std::string_view::npos) {
            good_ = false;
            return {};
        }
        return std::string(part.substr(0, end));
    }
    void magic(std::string_view expected) {
        if (octets_of(expected.size()) != expected) good_ = false;
    }
    bool good() const { return good_; }
    bool complete() const { return good_ && rest_.empty(); }

  private:
    std::string_view octets_of(std::uint64_t count) {
        if (!good_ || count > rest_.size()) {
            good_ = false;
            return {};
        }
        const std::string_view part = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return part;
    }

    std::string_view rest_;
    bool good_ = true;
};

bool is_outcome(std::uint64_t value) {
    return value == 'r' || value == 'h' || value == 's';
}

bool fits(const Report& report) {
    return report.mx_group.size() <= address_field && report.server.size() <= server_limit &&
           report.server_ip.size() <= server_limit && report.tls.size() <= server_limit;
}

}  // namespace

char status_class(Outcome outcome) {
    return outcome == Outcome::success ? '2' : outcome == Outcome::permanent ? '5' : '4';
}

std::string encode(const LocalOrder& order) {
    std::string out;
    out.reserve(local_order_size);
    out += local_magic;
    put_number(out, order.delivery, 8);
    put_number(out, order.message, 8);
    put_number(out, order.message_size, 8);
    put_number(out, order.index, 4);
    put_field(out, order.sender);
    put_field(out, order.recipient);
    put_string(out, order.extension);
    return out;
}

std::optional<LocalOrder> decode_local_order(std::string_view packet) {
    Taker in(packet);
    LocalOrder order;
    in.magic(local_magic);
    order.delivery = in.number(8);
    order.message = in.number(8);
    order.message_size = in.number(8);
    order.index = in.index();
    order.sender = in.field();
    order.recipient = in.field();
    order.extension = in.string();
    if (!in.complete() || order.extension.size() > local_extension_limit) return std::nullopt;
    if (!order.extension.empty() && !mail::decode_extension(order.extension, 1)) return std::nullopt;
    return order;
}

std::string encode(const RemoteOrder& order) {
    std::string out(remote_magic);
    put_number(out, order.delivery, 8);
    put_number(out, order.message, 8);
    put_number(out, order.message_size, 8);
    put_string(out, order.host);
    put_string(out, order.sender);
    put_number(out, order.recipients.size(), 2);
    for (const std::string& recipient : order.recipients) put_string(out, recipient);
    put_number(out, order.connection_messages, 4);
    for (std::size_t i = 0; i < order.recipients.size(); ++i)
        put_number(out, i < order.indices.size() ? order.indices[i] : 0, 4);
    put_number(out, order.crowded ? 1 : 0, 1);
    put_string(out, mail::encode_extension(order.options, order.recipient_options));
    put_string(out, order.signing);
    return out;
}

std::optional<RemoteOrder> decode_remote_order(std::string_view packet) {
    if (packet.size() > packet_limit) return std::nullopt;
    Taker in(packet);
    RemoteOrder order;
    in.magic(remote_magic);
    order.delivery = in.number(8);
    order.message = in.number(8);
    order.message_size = in.number(8);
    order.host = in.address();
    order.sender = in.address();
    const std::uint64_t count = in.number(2);
    if (!in.good() || count == 0 || count > order_recipient_limit) return std::nullopt;
    for (std::uint64_t i = 0; i < count && in.good(); ++i) order.recipients.push_back(in.address());
    order.connection_messages = static_cast<std::uint32_t>(in.number(4));
    for (std::uint64_t i = 0; i < count && in.good(); ++i) order.indices.push_back(in.index());
    const std::uint64_t crowded = in.number(1);
    order.crowded = crowded == 1;
    const std::string extension = in.string();
    order.signing = in.string();
    if (crowded > 1 || !in.complete()) return std::nullopt;
    if (extension.empty()) return order;
    auto decoded = mail::decode_extension(extension, count);
    if (!decoded) return std::nullopt;
    order.options = std::move(decoded->options);
    order.recipient_options = std::move(decoded->recipients);
    return order;
}

std::string encode(const Report& report) {
    std::string out(report_magic);
    put_number(out, report.delivery, 8);
    put_number(out, report.connection_failed ? 1 : 0, 1);
    put_number(out, report.milliseconds, 4);
    put_string(out, std::string_view(report.mx_group).substr(0, address_field));
    for (const std::string* of_server : {&report.server, &report.server_ip, &report.tls})
        put_string(out, std::string_view(*of_server).substr(0, server_limit));
    put_number(out, (report.dsn ? 1U : 0U) | (report.deliver_by ? 2U : 0U), 1);
    put_number(out, report.recipients.size(), 2);
    const std::size_t share =
        (packet_limit - report_head_limit) / std::max<std::size_t>(1, report.recipients.size());
    const std::size_t said = recipient_head + diagnostic_limit;
    const std::size_t text_limit = share > said ? share - said : 0;
    for (const RecipientReport& recipient : report.recipients) {
        out += static_cast<char>(recipient.outcome);
        put_string(out, std::string_view(recipient.text).substr(0, text_limit));
        put_string(out, std::string_view(recipient.status).substr(0, status_limit));
        put_string(out, std::string_view(recipient.diagnostic).substr(0, diagnostic_limit));
    }
    return out;
}

std::optional<Report> decode_report(std::string_view packet) {
    if (packet.size() > packet_limit) return std::nullopt;
    const bool old = packet.starts_with(old_report_magic);
    Taker in(packet);
    Report report;
    in.magic(old ? old_report_magic : report_magic);
    report.delivery = in.number(8);
    const std::uint64_t failed = in.number(1);
    report.connection_failed = failed == 1;
    report.milliseconds = static_cast<std::uint32_t>(in.number(4));
    report.mx_group = in.string();
    if (!old)
        for (std::string* of_server : {&report.server, &report.server_ip, &report.tls})
            *of_server = in.string();
    const std::uint64_t passed_on = old ? 0 : in.number(1);
    report.dsn = (passed_on & 1) != 0;
    report.deliver_by = (passed_on & 2) != 0;
    const std::uint64_t count = in.number(2);
    if (!in.good() || failed > 1 || passed_on > 3 || !fits(report) || count > order_recipient_limit)
        return std::nullopt;
    for (std::uint64_t i = 0; i < count && in.good(); ++i) {
        RecipientReport recipient;
        const std::uint64_t outcome = in.number(1);
        if (!is_outcome(outcome)) return std::nullopt;
        recipient.outcome = static_cast<Outcome>(outcome);
        recipient.text = in.string();
        if (!old) {
            recipient.status = in.string();
            recipient.diagnostic = in.string();
            if (recipient.status.size() > status_limit || recipient.diagnostic.size() > diagnostic_limit)
                return std::nullopt;
        }
        report.recipients.push_back(std::move(recipient));
    }
    if (!in.complete()) return std::nullopt;
    return report;
}

std::string encode(const UnderWay& delivery) {
    std::string out(under_way_magic);
    put_number(out, delivery.delivery, 8);
    put_number(out, delivery.message, 8);
    put_number(out, static_cast<std::uint64_t>(delivery.since), 8);
    put_number(out, delivery.channel == Channel::local ? 1 : 0, 1);
    put_string(out, delivery.address);
    put_number(out, delivery.indices.size(), 2);
    for (const std::uint32_t index : delivery.indices) put_number(out, index, 4);
    return out;
}

std::optional<UnderWay> decode_under_way(std::string_view packet) {
    Taker in(packet);
    UnderWay delivery;
    in.magic(under_way_magic);
    delivery.delivery = in.number(8);
    delivery.message = in.number(8);
    delivery.since = static_cast<std::int64_t>(in.number(8));
    const std::uint64_t local = in.number(1);
    delivery.channel = local == 1 ? Channel::local : Channel::remote;
    delivery.address = in.address();
    const std::uint64_t count = in.number(2);
    if (!in.good() || local > 1 || count == 0 || count > order_recipient_limit) return std::nullopt;
    for (std::uint64_t i = 0; i < count && in.good(); ++i) delivery.indices.push_back(in.index());
    if (!in.complete()) return std::nullopt;
    return delivery;
}

std::string encode_end_of_list() {
    return std::string(end_of_list);
}

bool is_end_of_list(std::string_view packet) {
    return packet == end_of_list;
}

std::string encode_taken(std::uint32_t reports) {
    std::string out(taken_magic);
    put_number(out, reports, 4);
    return out;
}

std::string encode_cut(std::uint64_t delivery) {
    std::string out(cut_magic);
    put_number(out, delivery, 8);
    return out;
}
std::optional<std::uint64_t> decode_cut(std::string_view packet) {
    Taker in(packet);
    in.magic(cut_magic);
    const std::uint64_t delivery = in.number(8);
    if (!in.complete()) return std::nullopt;
    return delivery;
}
std::optional<std::uint32_t> decode_taken(std::string_view packet) {
    Taker in(packet);
    in.magic(taken_magic);
    const std::uint32_t reports = in.index();
    if (!in.complete()) return std::nullopt;
    return reports;
}

std::string encode_retire() {
    return std::string(retire);
}

bool is_retire(std::string_view packet) {
    return packet == retire;
}

}  // namespace relais::send
