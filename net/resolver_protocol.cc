#include "net/resolver_protocol.h"

#include <algorithm>

namespace relais::net {
namespace {

// All integers are little-endian, of Octets octets.
template <int Octets>
void put(std::string& out, std::uint64_t value) {
    for (int i = 0; i < Octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// Takes values off the front of a view; once something was missing, everything is.
class Parser {
  public:
    explicit Parser(std::string_view data) : data_(data) {}
    bool ok() const { return ok_; }
    bool finished() const { return ok_ && data_.empty(); }

    template <int Octets>
    std::uint64_t number() {
        std::uint64_t value = 0;
        if (data_.size() < Octets) return fail(), 0;
        for (int i = 0; i < Octets; ++i)
            value |= std::uint64_t{static_cast<unsigned char>(data_[static_cast<std::size_t>(i)])} << (8 * i);
        data_.remove_prefix(Octets);
        return value;
    }

    std::string text() {
        const std::size_t end = data_.find('\0');
        if (end == std::string_view::npos) return fail(), std::string();
        std::string value(data_.substr(0, end));
        data_.remove_prefix(end + 1);
        return value;
    }

  private:
    void fail() {
        ok_ = false;
        data_ = {};
    }
    std::string_view data_;
    bool ok_ = true;
};

std::optional<RecordType> record_type(std::uint64_t number) {
    for (const RecordType type : {RecordType::a, RecordType::cname, RecordType::ptr, RecordType::mx,
                                  RecordType::txt, RecordType::aaaa, RecordType::tlsa})
        if (static_cast<std::uint64_t>(type) == number) return type;
    return std::nullopt;
}

// NUL ends a text, so it cannot be in one.
void put_text(std::string& out, std::string_view text) {
    const std::size_t start = out.size();
    out.append(text);
    std::replace(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), '\0', '?');
    out += '\0';
}

}  // namespace

std::string encode_question(RecordType type, std::string_view name) {
    name = name.substr(0, question_limit - 2);
    std::string out;
    put<2>(out, 2 + name.size());
    put<2>(out, static_cast<std::uint16_t>(type));
    return out.append(name);
}

std::optional<DnsQuestion> decode_question(std::string_view body) {
    if (body.size() < 2 || body.size() > question_limit) return std::nullopt;
    const auto type = record_type(Parser(body).number<2>());
    if (!type) return std::nullopt;
    return DnsQuestion{*type, std::string(body.substr(2))};
}

std::string encode_answer(const DnsAnswer& answer) {
    std::string body;
    body += static_cast<char>(answer.status);
    body += static_cast<char>(answer.secure ? 1 : 0);
    put<4>(body, answer.ttl);
    put_text(body, answer.canonical_name);
    const std::size_t count = std::min<std::size_t>(answer.records.size(), 0xffff);
    put<2>(body, count);
    for (std::size_t i = 0; i < count; ++i) {
        put<2>(body, answer.records[i].preference);
        put_text(body, answer.records[i].text);
    }
    if (body.size() > answer_limit) return encode_answer(DnsAnswer{});
    std::string out;
    put<4>(out, body.size());
    return out.append(body);
}

std::optional<DnsAnswer> decode_answer(std::string_view body) {
    if (body.size() > answer_limit) return std::nullopt;
    Parser parser(body);
    DnsAnswer answer;
    const std::uint64_t status = parser.number<1>();
    const std::uint64_t secure = parser.number<1>();
    if (status > static_cast<std::uint64_t>(DnsStatus::bogus) || secure > 1) return std::nullopt;
    answer.status = static_cast<DnsStatus>(status);
    answer.secure = secure == 1;
    answer.ttl = static_cast<std::uint32_t>(parser.number<4>());
    answer.canonical_name = parser.text();
    for (std::uint64_t left = parser.number<2>(); left > 0 && parser.ok(); --left) {
        DnsRecord record;
        record.preference = static_cast<std::uint16_t>(parser.number<2>());
        record.text = parser.text();
        answer.records.push_back(std::move(record));
    }
    if (!parser.finished()) return std::nullopt;
    return answer;
}

}  // namespace relais::net
