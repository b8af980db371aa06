// The switch to TLS (RFC 3207), and what a certificate of the client is worth.
#include <fmt/core.h>

#include "metrics/count.h"
#include "smtpd/session.h"

namespace relais::smtpd {

void Session::starttls(std::string_view argument) {
    if (tls_ != nullptr) return bad_command("503 TLS is on already (#5.5.1)");
    if (encryption_ == nullptr || !encryption_->offered()) return bad_command("502 unimplemented (#5.5.1)");
    if (!argument.empty()) return bad_command("501 STARTTLS takes no argument (#5.5.4)");
    try {
        encryption_->prepare();
    } catch (const Error& error) {
        return refuse("tls", "454 TLS not available now, try again later (#4.7.0)", std::nullopt,
                      error.what());
    }
    say("220 ready for tls");
    channel_.flush();
    encrypt();
}

// Whatever goes wrong, nothing is said in clear any more: the connection is over.
void Session::encrypt() {
    try {
        tls_ = &encryption_->start(channel_);
    } catch (const ClientLost&) {
        throw;
    } catch (const Error& error) {
        spent_ = true;
        metrics::count("smtp.refused", "tls");
        log_(refuse_event(speaker(), "tls", std::nullopt, std::nullopt, error.what()));
        throw ClientLost(error.number() == ETIMEDOUT ? ECONNABORTED : ECONNRESET);
    }
    // All that was known of the client came in clear, and perhaps from somebody else.
    forget_the_client();
    const tls::Description& description = tls_->description();
    if (!description.peer_subject.empty() || !description.peer_fingerprint.empty()) spent_ = true;
    metrics::count("smtp.tls", description.version);
    tls_word_ = description.version + "/" + description.cipher;
    if (description.peer_verified && of_controls([&] { return policy_.lists_certificate(description); }))
        client_.certificate = description.peer_subject;
}

void Session::forget_the_client() {
    transaction_.reset();
    forwarded_.clear();
    helo_.reset();
    chain_.heard_helo(std::nullopt);
    extended_ = false;
    client_.user.reset();
    failed_logins_ = 0;
    bad_commands_ = 0;
}

// What follows "with" in the trace field: the version of TLS and the cipher in a comment.
std::string Session::traced_protocol() const {
    if (tls_ == nullptr) return std::string(protocol());
    return fmt::format("{} ({} {})", protocol(), tls_->description().version, tls_->description().cipher);
}

}  // namespace relais::smtpd
