#include "queue/format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/octets.h"
#include "base/text.h"
#include "mail/address.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

// Followed by the version, one digit.
constexpr std::string_view footer_family = "relaisQ";
constexpr std::size_t footer_magic_size = 8;
constexpr unsigned last_version = 2;
constexpr std::size_t footer_check_at = footer_size - 8;
// The info text is short; with it, and with an extension, an envelope may be longer than what was submitted.
constexpr std::uint64_t info_limit = 128;
constexpr std::uint64_t stored_envelope_limit = envelope_limit + info_limit + mail::extension_limit;

// Offsets in the status block: check, hold, held by hand, text length, tries, next try, last try, release by
// hand (0 of versions that do not know it), text.
constexpr std::size_t status_hold_at = 8;
constexpr std::size_t status_by_hand_at = 9;  // 0 of versions that do not know it
constexpr std::size_t status_length_at = 10;
constexpr std::size_t status_tries_at = 12;
constexpr std::size_t status_next_at = 16;
constexpr std::size_t status_last_at = 24;
constexpr std::size_t status_released_at = 32;
constexpr std::size_t status_text_at = status_size - error_text_size;

constexpr std::uint64_t odd_1 = 0x9fb21c651e98df25U;
constexpr std::uint64_t odd_2 = 0xd6e8feb86659fd93U;

// Every step can be undone, so a change in one word always changes the sum.
std::uint64_t absorb(std::uint64_t state, std::uint64_t word) {
    return std::rotl(state ^ (word * odd_1), 31) * odd_2;
}

std::uint64_t checksum_of(std::string_view data) {
    Checksum sum;
    sum.update(data);
    return sum.value();
}

std::optional<Origin> origin_of(std::string_view name) {
    for (const Origin origin : {Origin::network, Origin::bounce, Origin::user})
        if (origin_name(origin) == name) return origin;
    return std::nullopt;
}

// "uid U pid P role R" into the envelope; false if it is anything else.
bool decode_info(std::string_view info, Envelope& envelope) {
    const auto words = split(info, ' ');
    if (words.size() != 6 || words[0] != "uid" || words[2] != "pid" || words[4] != "role") return false;
    const auto uid = parse_number(words[1]);
    const auto pid = parse_number(words[3]);
    const auto origin = origin_of(words[5]);
    if (!uid || !pid || !origin || *uid > UINT32_MAX || *pid > UINT32_MAX) return false;
    envelope.uid = static_cast<std::uint32_t>(*uid);
    envelope.pid = static_cast<std::uint32_t>(*pid);
    envelope.origin = *origin;
    return true;
}

// The version that a footer's beginning names; nothing if it is none of those known here.
std::optional<unsigned> version_named(std::string_view footer) {
    if (footer.size() < footer_magic_size || !footer.starts_with(footer_family)) return std::nullopt;
    const char digit = footer[footer_family.size()];
    if (digit < '1' || digit > '0' + static_cast<char>(last_version)) return std::nullopt;
    return static_cast<unsigned>(digit - '0');
}

std::string extension_of(const Envelope& envelope) {
    std::vector<mail::RecipientOptions> recipients;
    for (const Recipient& recipient : envelope.recipients) recipients.push_back(recipient.options);
    return mail::encode_extension(envelope.options, recipients);
}

bool take_extension(std::string_view data, Envelope& envelope) {
    auto extension = mail::decode_extension(data, envelope.recipients.size());
    if (!extension) return false;
    envelope.options = std::move(extension->options);
    envelope.recipients.set_options(std::move(extension->recipients));
    return true;
}

// What no extension says.
void name_submitter(Envelope& envelope) {
    using Kind = mail::Submitter::Kind;
    mail::Submitter& submitter = envelope.options.submitter;
    if (submitter.kind == Kind::unsaid)
        submitter.kind = envelope.origin == Origin::network  ? Kind::stranger
                         : envelope.origin == Origin::bounce ? Kind::bounce
                                                             : Kind::local;
    if (submitter.kind == Kind::local || submitter.kind == Kind::forward)
        submitter.name = std::to_string(envelope.uid);
}

// Takes what stands before the next NUL; nothing if there is none.
std::optional<std::string_view> take_field(std::string_view& data) {
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view field = data.substr(0, end);
    data.remove_prefix(end + 1);
    return field;
}

}  // namespace

std::string_view origin_name(Origin origin) {
    switch (origin) {
        case Origin::network:
            return "network";
        case Origin::bounce:
            return "bounce";
        case Origin::user:
            break;
    }
    return "user";
}

void Checksum::update(std::string_view data) {
    length_ += data.size();
    while (partial_octets_ != 0 && !data.empty()) {
        partial_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(data.front()))
                    << (8 * partial_octets_);
        data.remove_prefix(1);
        if (++partial_octets_ < 8) continue;
        state_ = absorb(state_, partial_);
        partial_ = partial_octets_ = 0;
    }
    std::uint64_t state = state_;
    std::size_t at = 0;
    for (; at + 8 <= data.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data() + at, 8);
        if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
        state = absorb(state, word);
    }
    state_ = state;
    for (; at < data.size(); ++at)
        partial_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(data[at]))
                    << (8 * partial_octets_++);
}

std::uint64_t Checksum::value() const {
    std::uint64_t sum = absorb(absorb(state_, partial_), length_);
    sum ^= sum >> 32;
    sum *= odd_1;
    return sum ^ (sum >> 29);
}

std::uint64_t checksum_unmarked(Checksum body, const Envelope& envelope) {
    constexpr char to_do = static_cast<char>(Mark::to_do);
    const std::string_view octets = envelope.recipients.octets();
    std::size_t at = 0;
    for (const std::uint32_t mark : envelope.recipients.places()) {
        body.update(octets.substr(at, mark - at));
        body.update(std::string_view(&to_do, 1));
        at = mark + std::size_t{1};
    }
    body.update(octets.substr(at));
    return body.value();
}

std::string encode_info(const Envelope& envelope) {
    std::string info =
        "uid " + std::to_string(envelope.uid) + " pid " + std::to_string(envelope.pid) + " role ";
    info += origin_name(envelope.origin);
    info += '\0';
    return info;
}

std::string encode_envelope(const Envelope& envelope) {
    std::string data = encode_info(envelope);
    data += envelope.sender;
    data += '\0';
    for (const Recipient& recipient : envelope.recipients) {
        data += static_cast<char>(recipient.mark);
        data += recipient.address;
        data += '\0';
    }
    data += '\0';
    return data += extension_of(envelope);
}

unsigned version_of(const Envelope& envelope) {
    return extension_of(envelope).empty() ? 1 : 2;
}

std::optional<Envelope> decode_envelope(std::string data, std::uint64_t envelope_offset, unsigned version) {
    Envelope envelope;
    std::string_view rest = data;
    const auto info = take_field(rest);
    const auto sender = take_field(rest);
    if (!info || !sender || sender->size() > mail::address_limit || !decode_info(*info, envelope))
        return std::nullopt;
    envelope.sender = *sender;
    std::vector<std::uint32_t> places;
    places.reserve(static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\0')));
    for (;;) {
        const std::size_t place = data.size() - rest.size();
        const auto field = take_field(rest);
        if (!field) return std::nullopt;
        if (field->empty()) break;
        const char mark = field->front();
        if (mark != 'T' && mark != 'D' && mark != 'F') return std::nullopt;
        if (field->size() - 1 > mail::address_limit) return std::nullopt;
        places.push_back(static_cast<std::uint32_t>(place));
    }
    const std::size_t extension = data.size() - rest.size();
    envelope.recipients = Recipients(std::move(data), envelope_offset, std::move(places));
    rest = envelope.recipients.octets().substr(extension);
    if (version == 1 ? !rest.empty() : !take_extension(rest, envelope)) return std::nullopt;
    name_submitter(envelope);
    return envelope;
}

std::string encode_status(const Status& status) {
    std::string block(status_size, '\0');
    const std::string_view text = std::string_view(status.last_error).substr(0, error_text_size);
    block[status_hold_at] = status.hold ? 1 : 0;
    block[status_by_hand_at] = status.hold && status.by_hand ? 1 : 0;
    put_le(block.data() + status_length_at, text.size(), 2);
    put_le(block.data() + status_tries_at, status.tries, 4);
    put_le(block.data() + status_next_at, static_cast<std::uint64_t>(status.next_try), 8);
    put_le(block.data() + status_last_at, static_cast<std::uint64_t>(status.last_try), 8);
    put_le(block.data() + status_released_at, static_cast<std::uint64_t>(status.released), 8);
    text.copy(block.data() + status_text_at, text.size());
    put_le(block.data(), checksum_of(std::string_view(block).substr(8)), 8);
    return block;
}

Status decode_status(std::string_view data) {
    if (data.size() != status_size || get_le(data, 0, 8) != checksum_of(data.substr(8))) return {};
    Status status;
    const std::size_t length = get_le(data, status_length_at, 2);
    status.hold = data[status_hold_at] == 1;
    status.by_hand = status.hold && data[status_by_hand_at] == 1;
    status.tries = static_cast<std::uint32_t>(get_le(data, status_tries_at, 4));
    status.next_try = static_cast<std::int64_t>(get_le(data, status_next_at, 8));
    status.last_try = static_cast<std::int64_t>(get_le(data, status_last_at, 8));
    status.released = static_cast<std::int64_t>(get_le(data, status_released_at, 8));
    if (length > error_text_size || status.next_try < 0 || status.last_try < 0 || status.released < 0)
        return {};
    status.last_error = data.substr(status_text_at, length);
    return status;
}

std::string encode_footer(const Footer& footer) {
    std::string block = std::string(footer_family) + static_cast<char>('0' + footer.version);
    append_le(block, footer.message_size, 8);
    append_le(block, footer.envelope_size, 8);
    append_le(block, footer.checksum, 8);
    block.resize(footer_check_at);
    append_le(block, checksum_of(block), 8);
    return block;
}

Trace footer_trace(std::string_view end) {
    // First: a later version's message may hold the magic of ours.
    const std::string_view last = end.substr(end.size() - std::min(end.size(), footer_size));
    if (last.size() == footer_size && last.starts_with(footer_family) && !version_named(last))
        return Trace::another_version;
    return find_footer(end) ? Trace::known_version : Trace::none;
}

std::optional<std::size_t> find_footer(std::string_view data) {
    for (std::size_t at = data.rfind(footer_family); at != std::string_view::npos;
         at = data.rfind(footer_family, at - 1)) {
        if (version_named(data.substr(at))) return at;
        if (at == 0) break;
    }
    return std::nullopt;
}

std::optional<Footer> read_footer_loosely(std::string_view data) {
    const auto version = version_named(data);
    if (!version || data.size() < 32) return std::nullopt;
    return Footer{get_le(data, 8, 8), get_le(data, 16, 8), get_le(data, 24, 8), *version};
}

std::optional<Footer> decode_footer(std::string_view data, std::uint64_t file_size) {
    const auto version = version_named(data);
    if (data.size() != footer_size || !version) return std::nullopt;
    if (get_le(data, footer_check_at, 8) != checksum_of(data.substr(0, footer_check_at))) return std::nullopt;
    const Footer footer{get_le(data, 8, 8), get_le(data, 16, 8), get_le(data, 24, 8), *version};
    if (footer.envelope_size > stored_envelope_limit || file_size < status_size + footer_size)
        return std::nullopt;
    const std::uint64_t rest = file_size - status_size - footer_size;
    if (footer.envelope_size > rest || footer.message_size != rest - footer.envelope_size)
        return std::nullopt;
    return footer;
}

}  // namespace relais::queue
