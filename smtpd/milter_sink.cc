#include "smtpd/milter_sink.h"

#include <unordered_map>

namespace relais::smtpd {
namespace {

// What a client has asked for, for the recipients that are still there.
mail::Envelope changed(const mail::Envelope& before, const milter::Outcome& outcome) {
    std::unordered_map<std::string, const mail::RecipientOptions*> asked;
    for (const mail::Recipient& each : before.recipients) asked.emplace(each.address, &each.options);
    mail::Envelope after{outcome.sender, {}, before.options};
    after.options.hold = before.options.hold || outcome.hold;
    for (const std::string& address : outcome.recipients) {
        const auto known = asked.find(address);
        after.recipients.push_back(
            {address, known != asked.end() ? *known->second : mail::RecipientOptions{}});
    }
    return after;
}

}  // namespace

queue::SubmitAnswer MilterSink::finish(const std::string&, const std::vector<std::string>&) {
    const milter::Outcome& outcome = milters_.outcome();
    mail::Envelope envelope = changed(envelope_, outcome);
    mail::Submitter& submitter = envelope.options.submitter;
    if (envelope.options.hold && submitter.kind == mail::Submitter::Kind::unsaid) submitter = find_();
    next_->begin(envelope);
    if (!milters_.read_text([this](std::string_view text) { next_->write(text); }))
        return {queue::SubmitCode::communication, 0, {}};
    return next_->finish(outcome.sender, outcome.recipients);
}

}  // namespace relais::smtpd
