#include "keyd/protocol.h"

#include <algorithm>

namespace relais::keyd {
namespace {

unsigned octet(char c) {
    return static_cast<unsigned char>(c);
}

void append_length(std::string& to, std::size_t length) {
    for (unsigned shift = 0; shift < 32; shift += 8) to += static_cast<char>(length >> shift & 0xff);
}

template <class Array>
void append(std::string& to, const Array& octets) {
    to.append(reinterpret_cast<const char*>(octets.data()), octets.size());
}

// Takes pieces off the front; once something was missing, ok is false for good.
struct Cursor {
    std::string_view rest;
    bool ok = true;

    std::string_view take(std::size_t count) {
        if (count > rest.size()) ok = false;
        const std::string_view piece = rest.substr(0, ok ? count : 0);
        rest.remove_prefix(piece.size());
        return piece;
    }
    char take_one() {
        const std::string_view piece = take(1);
        return piece.empty() ? '\0' : piece[0];
    }
    template <class Array>
    void fill(Array& octets) {
        const std::string_view piece = take(octets.size());
        std::copy(piece.begin(), piece.end(), octets.begin());
    }
    Ticket ticket() {
        Ticket result;
        fill(result.name);
        fill(result.key);
        return result;
    }
};

// With room for all of it, so that no piece stays where the text was before it grew.
std::string begin_secret(char letter, std::size_t more) {
    std::string body;
    body.reserve(1 + more);
    body += letter;
    return body;
}

void append_ticket(std::string& to, const Ticket& ticket) {
    append(to, ticket.name);
    append(to, ticket.key);
}

bool is_digest(char c) {
    return std::string_view("02351m").find(c) != std::string_view::npos;
}

bool is_padding(char c) {
    return c == '0' || c == '1' || c == 'p';
}

std::optional<Request> decode_signing(Cursor cursor) {
    Signing signing;
    signing.key = cursor.take(key_name_size);
    const char digest = cursor.take_one();
    const char padding = cursor.take_one();
    if (!cursor.ok || !is_digest(digest) || !is_padding(padding)) return std::nullopt;
    signing.digest = static_cast<Digest>(digest);
    signing.padding = static_cast<Padding>(padding);
    signing.text = cursor.rest;
    return signing;
}

// The length of a vector with two octets of length, with them; nothing if it does not fit.
std::optional<std::size_t> vector_size(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const std::size_t size = 2 + (octet(text[0]) << 8 | octet(text[1]));
    return size <= text.size() ? std::optional(size) : std::nullopt;
}

bool is_ecdhe(std::string_view parameters) {
    // named_curve, the curve, the point with its length
    return parameters.size() > 4 && parameters[0] == 3 && parameters.size() == 4 + octet(parameters[3]);
}

bool is_dhe(std::string_view parameters) {
    for (int i = 0; i < 3; ++i) {  // p, g, Ys
        const auto size = vector_size(parameters);
        if (!size || *size == 2) return false;
        parameters.remove_prefix(*size);
    }
    return parameters.empty();
}

}  // namespace

std::string encode_request(const Request& request) {
    struct Encoder {
        std::string operator()(const CertificateFor& of) const { return "C" + std::string(of.name); }
        std::string operator()(const Watch&) const { return "W"; }
        std::string operator()(const Signing& signing) const {
            std::string body = "S" + std::string(signing.key);
            body += static_cast<char>(signing.digest);
            body += static_cast<char>(signing.padding);
            body += signing.text;
            return body;
        }
        std::string operator()(const TicketOf& of) const { return "T" + std::string(of.name); }
        std::string operator()(const NewTicket&) const { return "N"; }
    };
    return std::visit(Encoder{}, request);
}

std::optional<Request> decode_request(std::string_view body) {
    if (body.empty()) return std::nullopt;
    const std::string_view rest = body.substr(1);
    switch (body[0]) {
        case 'C':
            if (rest.size() > 255) return std::nullopt;
            return CertificateFor{rest};
        case 'S':
            return decode_signing({rest});
        case 'T':
            if (rest.size() != ticket_name_size) return std::nullopt;
            return TicketOf{rest};
        case 'W':
            if (!rest.empty()) return std::nullopt;
            return Watch{};
        case 'N':
            if (!rest.empty()) return std::nullopt;
            return NewTicket{};
        default:
            return std::nullopt;
    }
}

std::string encode_chain(const Chain& chain) {
    std::string body = chain.named ? "C1" : "C0";
    for (const std::string& certificate : chain.certificates) {
        append_length(body, certificate.size());
        body += certificate;
    }
    return body;
}

std::optional<Chain> decode_chain(std::string_view body) {
    Cursor cursor{body};
    if (cursor.take_one() != 'C') return std::nullopt;
    const char named = cursor.take_one();
    if (named != '0' && named != '1') return std::nullopt;
    Chain chain{named == '1', {}};
    while (cursor.ok && !cursor.rest.empty()) {
        const std::string_view head = cursor.take(4);
        if (!cursor.ok) break;
        chain.certificates.emplace_back(cursor.take(frame_size(head)));
    }
    return cursor.ok ? std::optional(std::move(chain)) : std::nullopt;
}

std::string encode_signature(const Ticket& ticket, std::string_view signature) {
    std::string body = begin_secret('S', ticket_name_size + ticket_key_size + signature.size());
    append_ticket(body, ticket);
    return body += signature;
}

std::optional<Signature> decode_signature(std::string_view body) {
    Cursor cursor{body};
    if (cursor.take_one() != 'S') return std::nullopt;
    const Ticket ticket = cursor.ticket();
    if (!cursor.ok) return std::nullopt;
    return Signature{ticket, std::string(cursor.rest)};
}

std::string encode_ticket_answer(const TicketAnswer& answer) {
    std::string body = begin_secret('T', 1 + ticket_key_size + ticket_name_size + ticket_key_size);
    body += static_cast<char>(answer.state);
    append(body, answer.key);
    append_ticket(body, answer.fresh);
    return body;
}

std::optional<TicketAnswer> decode_ticket_answer(std::string_view body) {
    Cursor cursor{body};
    if (cursor.take_one() != 'T') return std::nullopt;
    const char state = cursor.take_one();
    if (state < '0' || state > '2') return std::nullopt;
    TicketAnswer answer;
    answer.state = static_cast<TicketState>(state);
    cursor.fill(answer.key);
    answer.fresh = cursor.ticket();
    return cursor.ok && cursor.rest.empty() ? std::optional(answer) : std::nullopt;
}

std::string encode_new_ticket(const Ticket& ticket) {
    std::string body = begin_secret('N', ticket_name_size + ticket_key_size);
    append_ticket(body, ticket);
    return body;
}

std::optional<Ticket> decode_new_ticket(std::string_view body) {
    Cursor cursor{body};
    if (cursor.take_one() != 'N') return std::nullopt;
    const Ticket ticket = cursor.ticket();
    return cursor.ok && cursor.rest.empty() ? std::optional(ticket) : std::nullopt;
}

std::string encode_trouble(std::string_view text) {
    return "E" + std::string(text);
}

std::optional<std::string> decode_trouble(std::string_view body) {
    if (body.empty() || body[0] != 'E') return std::nullopt;
    return std::string(body.substr(1));
}

bool is_last_of_handshake(std::string_view body) {
    return body.starts_with('S') || (body.starts_with('T') && body.substr(1, 1) != "0");
}

std::string frame(std::string_view body) {
    std::string result;
    result.reserve(4 + body.size());
    append_length(result, body.size());
    return result += body;
}

std::size_t frame_size(std::string_view head) {
    return octet(head[0]) | octet(head[1]) << 8 | octet(head[2]) << 16 | std::size_t{octet(head[3])} << 24;
}

bool is_handshake_text(std::string_view text) {
    using namespace std::string_view_literals;
    constexpr std::string_view context = "TLS 1.3, server CertificateVerify\0"sv;
    constexpr std::size_t pad = 64;
    const std::size_t hash = text.size() - std::min(text.size(), pad + context.size());
    if (text.find_first_not_of(' ') == pad && text.substr(pad, context.size()) == context)
        return hash == 32 || hash == 48;
    // After the two random values of 32 octets. A client of TLS 1.3 can choose one of them, but never all
    // blanks in both: the server's is ours.
    if (text.size() < 64 || text.substr(32, 32).find_first_not_of(' ') == std::string_view::npos)
        return false;
    return is_ecdhe(text.substr(64)) || is_dhe(text.substr(64));
}

}  // namespace relais::keyd
