// qmail-inject as a function: sendmail calls it without starting another program.
#pragma once

#include <string>

#include "inject/compose.h"
#include "mail/envelope.h"

namespace relais::inject {

// What its sender asks of reports on the delivery (RFC 3461).
struct ReportWish {
    mail::Notify notify{};  // for each recipient
    mail::Ret ret = mail::Ret::unsaid;
    std::string envid{};  // xtext
};

// Reads a message from descriptor 0 and submits it, or prints it to descriptor 1 when queue is false. Throws
// Error.
void inject_message(const Request& request, bool queue, const ReportWish& reports = {});

}  // namespace relais::inject
