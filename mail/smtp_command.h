// The lines of an SMTP client (RFC 5321, 4.1.1): verb and argument, "FROM:" and "TO:", the parameters behind
// a path. Pure functions; the views point into the line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"

namespace relais::mail {

struct SmtpCommand {
    std::string_view verb;      // as it was written; compare without case
    std::string_view argument;  // without blanks around it
};
// A command line without its line end. The verb is empty for an empty line.
SmtpCommand parse_smtp_command(std::string_view line);

// What follows "FROM:" in the argument of MAIL, or "TO:" in that of RCPT, with blanks before the colon
// forgiven; the argument for parse_path. Nothing if the keyword or its colon is missing.
std::optional<std::string_view> after_keyword(std::string_view argument, std::string_view keyword);

// The parameters behind a path: KEYWORD or KEYWORD=VALUE, separated by blanks. Nothing for a syntax error.
struct EsmtpParameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};
std::optional<std::vector<EsmtpParameter>> parse_esmtp_parameters(std::string_view text);

// The parameters of MAIL that we know: SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954, 5), RET and ENVID
// (RFC 3461, 4.3 and 4.4), SMTPUTF8 (RFC 6531, 3.4), REQUIRETLS (RFC 8689, 2), and those of mail/transfer.h.
struct MailParameters {
    enum class Fault {
        none,
        syntax,   // 501
        unknown,  // 555, RFC 5321, 4.1.1.11
    };
    Fault fault = Fault::none;
    std::optional<std::uint64_t> size;  // octets; the largest number there is for one that does not fit
    bool eight_bit = false;             // BODY=8BITMIME
    std::optional<std::string> auth;    // decoded; empty for <>
    Ret ret = Ret::unsaid;
    std::string envid{};  // as it came
    bool smtputf8 = false;
    bool requiretls = false;
    TransferRequest transfer{};

    bool asks_dsn() const { return ret != Ret::unsaid || !envid.empty(); }
};
MailParameters parse_mail_parameters(std::string_view text);

// The parameters of RCPT that we know: NOTIFY and ORCPT (RFC 3461, 4.1 and 4.2).
struct RcptParameters {
    MailParameters::Fault fault = MailParameters::Fault::none;
    RecipientOptions options{};
};
RcptParameters parse_rcpt_parameters(std::string_view text);

// The argument of BDAT (RFC 3030, 2): how many octets follow its line, and whether they are the last ones.
struct Chunk {
    // More is no message: a client that says so would have us wait for days.
    static constexpr std::uint64_t most = std::uint64_t{1} << 40;
    std::uint64_t size = 0;
    bool last = false;
    bool operator==(const Chunk&) const = default;
};
std::optional<Chunk> parse_chunk(std::string_view argument);

// RFC 3461, 4: "+2B" stands for '+'. Nothing for what is no xtext.
std::optional<std::string> decode_xtext(std::string_view text);
std::string encode_xtext(std::string_view text);

}  // namespace relais::mail
