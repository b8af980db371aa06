#include "auth/dovecot.h"

#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "sasl/base64.h"
#include "sasl/messages.h"

namespace relais::auth {
namespace {

constexpr std::size_t line_limit = 8192;
constexpr std::string_view request_id = "1";

// Parameters may have no tabs and line ends in them.
bool is_plain(std::string_view text) {
    return text.find_first_of(std::string_view("\t\n\r\0\x01", 5)) == std::string_view::npos;
}

// Up to DONE; throws a temporary Error if that is no server of our protocol.
void read_greeting(Reader& reader, Deadline deadline) {
    std::string line;
    bool plain = false;
    bool version = false;
    while (reader.read_line(line, line_limit, deadline) == Reader::Line::complete) {
        const auto words = split(line, '\t');
        if (words[0] == "DONE") {
            if (version && plain) return;
            throw Error(Reaction::temporary, version ? "Dovecot does not offer PLAIN"
                                                     : "no version 1 of Dovecot's authentication protocol");
        }
        version = version || (words[0] == "VERSION" && words.size() >= 2 && words[1] == "1");
        plain = plain || (words[0] == "MECH" && words.size() >= 2 && words[1] == "PLAIN");
    }
    throw Error(Reaction::temporary, "Dovecot's authentication server closed the connection");
}

Secret make_request(std::string_view user, std::string_view password, std::string_view service,
                    std::string_view address) {
    const Secret response = sasl::encode_base64_secret(sasl::format_plain(user, password).view());
    const std::string parameters =
        "\tPLAIN\tservice=" + std::string(service) +
        (address.empty() || !is_plain(address) ? "" : "\trip=" + std::string(address)) +
        "\tsecured\tresp=";  // which must be the last
    return Secret::joined({"VERSION\t1\t1\nCPID\t", std::to_string(::getpid()), "\nAUTH\t", request_id,
                           parameters, response.view(), "\n"});
}

}  // namespace

std::optional<Answer> parse_dovecot_line(std::string_view line, std::string_view id) {
    const auto words = split(line, '\t');
    if (words.size() < 2 || words[1] != id) return std::nullopt;
    const auto parameter = [&](std::string_view name) -> std::optional<std::string_view> {
        for (std::size_t i = 2; i < words.size(); ++i) {
            if (words[i] == name) return "";
            if (words[i].starts_with(name) && words[i].substr(name.size()).starts_with('='))
                return words[i].substr(name.size() + 1);
        }
        return std::nullopt;
    };
    if (words[0] == "OK") {
        Answer answer = answer_of(Result::right);
        answer.name = parameter("user").value_or("");
        return answer;
    }
    if (words[0] == "FAIL") {
        if (parameter("temp")) return answer_of(Result::temporary, "Dovecot cannot tell now");
        return answer_of(Result::refused, "refused by Dovecot");
    }
    // PLAIN needs no more than what it was given.
    if (words[0] == "CONT") return answer_of(Result::temporary, "Dovecot asks for more");
    return std::nullopt;
}

Answer ask_dovecot(const std::string& path, std::string_view user, std::string_view password,
                   std::string_view service, std::string_view address, Deadline deadline) {
    try {
        const Fd fd = connect_unix(path, deadline);
        Reader reader(fd.get());
        read_greeting(reader, deadline);
        write_all(fd.get(), make_request(user, password, service, address).view(), deadline);
        std::string line;
        while (reader.read_line(line, line_limit, deadline) == Reader::Line::complete)
            if (auto answer = parse_dovecot_line(line, request_id)) return *std::move(answer);
        return answer_of(Result::temporary, "Dovecot's authentication server closed the connection");
    } catch (const Error& error) {
        return answer_of(Result::temporary, error.what());
    }
}

}  // namespace relais::auth
