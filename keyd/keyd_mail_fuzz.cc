// Octets as a process of qmail-remote sends them to qmail-keyd, answered by a store with one key and a token
// that nobody can make; as an answer that a client decodes; and as a token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "keyd/mail_token.h"
#include "keyd/server.h"

using namespace relais::keyd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::string secret(token_secret_size, 's');
    static MailKeys& keys = *[] {
        static MailKeys made;
        made.add("dkim/one.test/s",
                 relais::authres::PrivateKey::from_ed25519_seed(std::string(32, 'k'))->pem());
        made.commit();
        return &made;
    }();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto request = decode_mail_request(text); request && encode_mail_request(*request) != text)
        std::abort();
    if (const auto body = answer_mail(text, keys, secret, 0); body && decode_mail_signature(*body))
        std::abort();
    if (const auto found = decode_keys_found(text); found && encode_keys_found(*found) != text) std::abort();
    decode_mail_signature(text);
    if (open_mail_token(secret, text, 0)) std::abort();
    return 0;
}
