#include "local/forwarded_envelope.h"

namespace relais::local {
namespace {

mail::RecipientOptions passed_on(mail::RecipientOptions options) {
    mail::Notify& notify = options.notify;
    // Who asked for successes alone wants to hear of no failure.
    notify.never = notify.never || (notify.success && !notify.failure && !notify.delay);
    notify.success = false;
    return options;
}

}  // namespace

mail::Envelope forwarded_envelope(std::string_view sender, std::string_view new_sender,
                                  std::string_view extension, const std::vector<std::string>& recipients) {
    mail::Envelope envelope{std::string(new_sender)};
    envelope.options.submitter.kind = mail::Submitter::Kind::forward;
    mail::RecipientOptions options;
    const auto asked = mail::decode_extension(extension, 1);
    if (asked) {
        envelope.options.smtputf8 = asked->options.smtputf8;
        envelope.options.requiretls = asked->options.requiretls;
    }
    if (asked && sender == new_sender) {
        envelope.options.ret = asked->options.ret;
        envelope.options.envid = asked->options.envid;
        options = passed_on(asked->recipients[0]);
    }
    for (const std::string& address : recipients) envelope.recipients.push_back({address, options});
    return envelope;
}

}  // namespace relais::local
