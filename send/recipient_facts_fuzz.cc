// Bounce texts as they lie in queue/bounce, cut anywhere, with the words of other servers in them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "send/delivery_report.h"

using namespace relais::send;

namespace {
void require(bool condition) {
    if (!condition) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    DeliveryReport report;
    report.kind = size % 2 == 0 ? ReportKind::failure : ReportKind::delay;
    report.text = parse_bounce_text(data);
    for (const RecipientFacts& facts : report.text.recipients) {
        const BounceText again = parse_bounce_text(bounce_paragraph(facts.address, "x") + encode(facts));
        require(again.recipients.size() == 1);
        require(facts.address.empty() || again.recipients[0].status == facts.status);
    }
    report.sender = "s@x";
    const BounceSettings settings{"MAILER-DAEMON", "x", "p@x", 0, BounceFormat::both, "1"};
    const std::string head = report_head(settings, {"", "s@x", false}, report);
    require(head.find('\0') == std::string::npos && head.find('\x1b') == std::string::npos);
    return 0;
}
