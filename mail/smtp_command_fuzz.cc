// Command lines from anybody, all the way to the parameters behind the path.
#include <cstdint>
#include <cstdlib>

#include "mail/address.h"
#include "mail/smtp_command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::mail;
    const std::string text(data, data + size);
    const SmtpCommand command = parse_smtp_command(text);
    if (const auto chunk = parse_chunk(command.argument); chunk && chunk->size > Chunk::most) std::abort();
    auto rest = after_keyword(command.argument, "FROM");
    if (!rest) rest = after_keyword(command.argument, "TO");
    if (!rest) return 0;
    const auto path = parse_path(*rest);
    if (!path) return 0;
    const MailParameters parameters = parse_mail_parameters(path->parameters);
    if (parameters.auth && decode_xtext(encode_xtext(*parameters.auth)) != parameters.auth) std::abort();
    return 0;
}
