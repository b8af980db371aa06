#include "listen/visitor.h"

#include "base/error.h"
#include "base/text.h"
#include "listen/places.h"

namespace relais::listen {
namespace {

void add_field(std::string& packet, std::string_view field) {
    packet.append(field.substr(0, field.find('\0'))).push_back('\0');
}

[[noreturn]] void refuse() {
    throw Error(Reaction::bug, "a client was handed over in another form");
}

class Fields {
  public:
    explicit Fields(std::string_view packet) : rest_(packet) {}
    bool empty() const { return rest_.empty(); }
    std::string_view next() {
        const std::size_t end = rest_.find('\0');
        if (end == std::string_view::npos) refuse();
        const std::string_view field = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return field;
    }
    net::Endpoint next_endpoint() {
        const auto endpoint = net::parse_endpoint(next());
        if (!endpoint) refuse();
        return *endpoint;
    }

  private:
    std::string_view rest_;
};

}  // namespace

std::string encode(const Visitor& visitor) {
    std::string packet;
    packet += static_cast<char>(visitor.beginning);
    packet += visitor.last ? 'l' : '-';
    packet += visitor.in_a_crowd ? 'c' : '-';
    packet += visitor.filtered ? 'f' : '-';
    packet += visitor.nameless ? 'n' : '-';
    packet += '\0';
    add_field(packet, visitor.peer.text());
    add_field(packet, visitor.local.text());
    add_field(packet, visitor.note);
    for (const auto& [name, value] : visitor.rule) {
        add_field(packet, name);
        add_field(packet, value);
    }
    return packet;
}

Visitor decode_visitor(std::string_view packet) {
    Fields fields(packet);
    Visitor visitor;
    const std::string_view flags = fields.next();
    if (flags.size() != 5 || std::string_view("gst").find(flags[0]) == std::string_view::npos) refuse();
    visitor.beginning = static_cast<Beginning>(flags[0]);
    visitor.last = flags[1] == 'l';
    visitor.in_a_crowd = flags[2] == 'c';
    visitor.filtered = flags[3] == 'f';
    visitor.nameless = flags[4] == 'n';
    visitor.peer = fields.next_endpoint();
    visitor.local = fields.next_endpoint();
    visitor.note = fields.next();
    while (!fields.empty()) {
        const std::string_view name = fields.next();
        visitor.rule.emplace_back(name, fields.next());
    }
    return visitor;
}

std::string key_of(const Visitor& visitor) {
    std::string key;
    add_field(key, visitor.nameless ? "" : neighbourhood(visitor.peer.ip));
    for (const auto& [name, value] : visitor.rule) {
        add_field(key, name);
        add_field(key, value);
    }
    return key;
}

Variables variables_of(const Visitor& visitor, const std::string& name) {
    Variables all = {{"PROTO", visitor.peer.is_v6() ? "TCP6" : "TCP"}};
    for (const std::string prefix : {"TCP", "TCP6"}) {
        all.emplace_back(prefix + "LOCALIP", visitor.local.ip);
        all.emplace_back(prefix + "LOCALPORT", std::to_string(visitor.local.port));
        all.emplace_back(prefix + "LOCALHOST", name);
        if (!visitor.nameless) {
            all.emplace_back(prefix + "REMOTEIP", visitor.peer.ip);
            all.emplace_back(prefix + "REMOTEPORT", std::to_string(visitor.peer.port));
        }
        if (!visitor.peer.is_v6()) break;
    }
    all.insert(all.end(), visitor.rule.begin(), visitor.rule.end());
    return all;
}

}  // namespace relais::listen
