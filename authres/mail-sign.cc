// mail-sign sign|seal --key FILE --domain D --selector S [...]: signs the message on standard input by DKIM,
// or adds an ARC set, and prints it. For tests, which give it to other verifiers; it is not installed. FILE
// is PEM, or an Ed25519 seed in base64.
#include <unistd.h>

#include "authres/tag_list.h"
#include "authres/verification.h"
#include "authres/zone.h"
#include "base/command_line.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/text.h"

namespace {

using namespace relais;

struct Options {
    std::string key, domain, selector, server, zone, header = "relaxed", body = "relaxed", fields;
    std::uint64_t time = 0;
};

std::unique_ptr<authres::PrivateKey> read_key(const std::string& path) {
    const std::string text = read_file(path, 65536).value_or("");
    if (text.find("-----") != std::string::npos) return authres::PrivateKey::parse(text, path);
    return authres::PrivateKey::from_ed25519_seed(authres::decode_folded_base64(text).value_or(""));
}

authres::Canonical form(std::string_view name) {
    return name == "simple" ? authres::Canonical::simple : authres::Canonical::relaxed;
}

std::string sign(const Options& options, std::string_view message) {
    authres::DkimSigning signing{options.domain, options.selector, form(options.header), form(options.body)};
    if (options.time > 0) signing.time = options.time;
    authres::DkimSigner signer(std::move(signing));
    authres::MessageReader reader(signer);
    reader.add(message);
    reader.finish();
    return signer.finish(*read_key(options.key));
}

std::string seal(const Options& options, std::string_view message) {
    authres::Verification verification;
    verification.add(message);
    verification.end_message();
    authres::ZoneDns dns(authres::Zone::read(options.zone));
    const auto verified = verification.finish(dns, {}, Deadline::never());
    authres::ArcSealer::Settings settings{options.domain, options.selector, options.server};
    if (options.time > 0) settings.time = options.time;
    if (!options.fields.empty()) settings.fields = authres::split_at_colons(options.fields);
    authres::ArcSealer sealer(std::move(settings));
    authres::MessageReader reader(sealer);
    reader.add(message);
    reader.finish();
    const std::string results = authres::merged_results(reader.header().fields, options.server);
    return sealer.finish(*read_key(options.key), results, verified.arc);
}

int work(const Arguments& arguments) {
    Options options;
    CommandLine line("Signs a message, for tests.", "mail-sign");
    line.takes_one(CommandLine::Subcommand::required);
    const Command signing = line.subcommand("sign", "adds DKIM-Signature").fallthrough();
    line.subcommand("seal", "adds an ARC set").fallthrough();
    line.option("--key", options.key).required();
    line.option("--domain", options.domain).required();
    line.option("--selector", options.selector).required();
    line.option("--server", options.server);
    line.option("--dns", options.zone);
    line.option("--header", options.header);
    line.option("--body", options.body);
    line.option("--fields", options.fields);
    line.option("--time", options.time);
    if (const auto code = line.parse(arguments)) return *code;
    const std::string message = read_to_end(STDIN_FILENO, std::size_t{64} << 20, Deadline::never());
    std::string fields = signing.given() ? sign(options, message) : seal(options, message);
    if (message.find("\r\n") == std::string::npos) std::erase(fields, '\r');
    write_all(STDOUT_FILENO, fields + message, Deadline::never());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("mail-sign", argc, argv, work);
}
