#include "keyd/mail_client.h"

#include "base/error.h"
#include "keyd/ask.h"
#include "keyd/protocol.h"

namespace relais::keyd {
namespace {

[[noreturn]] void fail_on_form() {
    throw Error(Reaction::temporary, "qmail-keyd gave an answer of another form");
}

}  // namespace

std::string MailKeyClient::ask(const MailRequest& request, Deadline deadline) {
    return keyd::ask(fd_, home_.socket("signing"), encode_mail_request(request), deadline);
}

KeysFound MailKeyClient::find(const KeysWanted& wanted, Deadline deadline) {
    auto found = decode_keys_found(ask(wanted, deadline));
    if (!found) fail_on_form();
    return *std::move(found);
}

std::string MailKeyClient::sign(const MailSigning& signing, Deadline deadline) {
    auto signature = decode_mail_signature(ask(signing, deadline));
    if (!signature) fail_on_form();
    return *std::move(signature);
}

}  // namespace relais::keyd
