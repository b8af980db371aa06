#include "queue/filter_protocol.h"

#include "base/octets.h"

namespace relais::queue {

std::string encode(const FilterRequest& request) {
    std::string packet(1, static_cast<char>(request.word));
    return packet.append(request.extension);
}

std::optional<FilterRequest> decode_filter_request(std::string_view packet) {
    if (packet.empty() || packet.size() > filter_request_limit) return std::nullopt;
    const FilterRequest request{static_cast<FilterWord>(packet[0]), packet.substr(1)};
    switch (request.word) {
        case FilterWord::message:
        case FilterWord::envelope:
        case FilterWord::kill:
            if (request.extension.empty()) return request;
            break;
        case FilterWord::run:
            if (request.extension.find('\0') == std::string_view::npos) return request;
            break;
    }
    return std::nullopt;
}

std::string encode(const FilterAnswer& answer) {
    std::string packet(1, static_cast<char>(answer.news));
    append_le(packet, answer.number, filter_answer_size - 1);
    return packet;
}

std::optional<FilterAnswer> decode_filter_answer(std::string_view packet) {
    if (packet.size() != filter_answer_size) return std::nullopt;
    const auto news = static_cast<FilterNews>(packet[0]);
    if (news != FilterNews::started && news != FilterNews::ended) return std::nullopt;
    return FilterAnswer{news, static_cast<std::uint32_t>(get_le(packet, 1, filter_answer_size - 1))};
}

}  // namespace relais::queue
