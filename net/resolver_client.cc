#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "net/resolver_protocol.h"

namespace relais::net {

Resolver::Resolver(control::Home home) : home_(std::move(home)) {}
Resolver::Resolver(control::Home home, Fd connected) : home_(std::move(home)), fd_(std::move(connected)) {}
Resolver::~Resolver() = default;

DnsAnswer Resolver::ask(RecordType type, std::string_view name, Deadline deadline) {
    if (name.size() > question_limit - 2) return DnsAnswer::without_records(DnsStatus::no_such_name);
    const std::string question = encode_question(type, name);
    // A connection from an earlier question may have been closed meanwhile, and a resolver that dies is
    // started again.
    for (int attempt = 0; attempt < 2 && !deadline.passed(); ++attempt)
        if (auto answer = try_ask(question, deadline)) return *std::move(answer);
    return DnsAnswer{};
}

std::optional<DnsAnswer> Resolver::try_ask(std::string_view question, Deadline deadline) {
    try {
        if (!fd_) fd_ = connect_unix(home_.socket("resolver"), deadline);
        write_all(fd_.get(), question, deadline);
        std::array<char, 4> head{};
        if (read_exactly(fd_.get(), head, deadline)) {
            std::size_t size = 0;
            for (std::size_t i = 0; i < head.size(); ++i)
                size |= std::size_t{static_cast<unsigned char>(head[i])} << (8 * i);
            if (size <= answer_limit) {
                std::string body(size, '\0');
                if (read_exactly(fd_.get(), body, deadline))
                    if (auto answer = decode_answer(body)) return answer;
            }
        }
    } catch (const Error&) {
        // Falls through: whatever went wrong, this connection can no longer be trusted to be in step.
    }
    fd_.reset();
    return std::nullopt;
}

}  // namespace relais::net
