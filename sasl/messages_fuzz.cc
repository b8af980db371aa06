// The first octet chooses whose message the rest is, from either side.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sasl/client.h"
#include "sasl/messages.h"
#include "sasl/scram.h"
#include "sasl/server.h"

namespace {

using namespace relais::sasl;

class Nobody : public Authority {
  public:
    Verdict check_password(std::string_view, std::string_view) override { return {Result::refused, ""}; }
    Verdict check_cram(std::string_view, std::string_view, std::string_view) override {
        return {Result::refused, ""};
    }
    Salt find_salt(std::string_view) override { return {true, "salt", 4096}; }
    Verdict check_scram(std::string_view, std::string_view, std::string_view) override {
        return {Result::refused, ""};
    }
    Verdict check_token(Mechanism, std::string_view, std::string_view) override {
        return {Result::refused, ""};
    }
};

void parse(std::string_view text) {
    if (const auto verifier = parse_scram_verifier(text))
        if (parse_scram_verifier(format_scram_verifier(*verifier)) != verifier) std::abort();
    if (const auto name = decode_saslname(text))
        if (encode_saslname(*name) != text) std::abort();
    if (const auto first = parse_client_first(text))
        if (std::string(first->header) + std::string(first->bare) != text) std::abort();
    (void)parse_server_first(text);
    (void)parse_client_final(text);
    (void)parse_plain(text);
}

// A line for each message of the client.
void converse(Mechanism mechanism, std::string_view text) {
    Nobody nobody;
    const auto server = make_server(mechanism, nobody, {"host", {{"tls-exporter", "x"}}, "nonce"});
    Server::Step step = server->begin(std::nullopt);
    for (unsigned turns = 0; step.next == Server::Next::challenge && turns < 8; ++turns) {
        const std::size_t end = text.find('\n');
        step = server->respond(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    if (step.next == Server::Next::right) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 8 == 7)
        parse(text);
    else
        converse(static_cast<Mechanism>(data[0] % 8), text);
    return 0;
}
