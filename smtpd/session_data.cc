// The part of Session that takes a message: DATA, and BDAT (RFC 3030).
#include <fmt/core.h>

#include <chrono>

#include "base/time.h"
#include "mail/smtp_command.h"
#include "metrics/count.h"
#include "smtpd/session.h"
#include "smtpd/trace_field.h"

namespace relais::smtpd {
namespace {

constexpr std::string_view rcpt_first = "503 RCPT first (#5.5.1)";
constexpr std::optional<std::string_view> ehlo_first = "503 EHLO first (#5.5.1)";
// Read and dropped where the message was refused.
constexpr std::chrono::hours discard_time_limit{24};

}  // namespace

std::optional<std::string_view> Session::unready() const {
    if (!transaction_) return mail_first;
    if (transaction_->recipients.empty()) return rcpt_first;
    return std::nullopt;
}

void Session::begin_message(DataDecoder::Form form) {
    std::unique_ptr<MessageSink> sink = open_sink();
    sink->begin(transaction_->envelope());
    policy::Client traced = client_;
    // As the usual patches show it.
    if (client_.user && settings_.received_auth) traced.info = client_.user;
    for (const std::string& field : transaction_->fields) sink->write(field);
    const std::string trace = trace_field(traced, helo_, traced_protocol(), now_seconds(), sink->session(),
                                          transaction_->options.priority);
    if (milters_ != nullptr) milters_->hide(trace);
    sink->write(trace);
    transaction_->message = std::make_unique<IncomingMessage>(
        form,
        IncomingMessage::Rules{
            .normalise = client_.fixcrio,
            .limits = {.refuse_nul = client_.refuse_nul || settings_.refuse_nul, .size_limit = size_limit()},
            .complete_header = client_.submission,
            .filter_results = chain_.has_dns() && settings_.checks.results,
            .me = settings_.me,
            .now = now_seconds()},
        std::move(sink));
    if (auto* verification = chain_.verification()) transaction_->message->watch(*verification);
    if (auto* subjects = chain_.subjects()) transaction_->message->watch(*subjects);
}

void Session::data(std::string_view argument) {
    if (!argument.empty()) return bad_command("501 DATA takes no argument (#5.5.4)");
    if (const auto first = unready()) return say(*first);
    if (has_begun()) return say(message_has_begun);
    begin_message(DataDecoder::Form::dotted);
    say("354 go ahead");
    read_message([&] { receive_data(*transaction_->message); });
    end_message();
}

// The count alone tells octets of the message from commands: where it is not to be read the connection must
// end.
void Session::bdat(std::string_view argument) {
    if (!settings_.chunking) return bad_command("500 unimplemented (#5.5.1)");
    const auto chunk = mail::parse_chunk(argument);
    if (!chunk) {
        spent_ = closing_ = true;
        return refuse("syntax", "501 BDAT takes a number of octets and LAST, closing (#5.5.4)");
    }
    if (const auto first = extended_ ? unready() : ehlo_first) {
        // These are no message: there is no more time for them than between commands.
        discard(chunk->size);
        return say(*first);
    }
    if (!has_begun()) begin_message(DataDecoder::Form::counted);
    read_message([&] { receive_chunk(*transaction_->message, chunk->size); });
    if (chunk->last) return end_message();
    if (!transaction_->message->refusal()) return say("250 ok");
    refuse_message();
    transaction_.reset();
}

// However little time there is between commands.
template <class Read>
void Session::read_message(Read read) {
    channel_.set_timeout(settings_.timeout);
    read();
    if (command_timeout_) channel_.set_timeout(*command_timeout_);
}

void Session::receive_data(IncomingMessage& message) {
    while (!message.ended()) {
        const std::string_view input = channel_.read_data();
        if (message.out_of_time()) throw ClientLost(ETIMEDOUT);
        channel_.consume(message.take(input));
    }
}

void Session::receive_chunk(IncomingMessage& message, std::uint64_t octets) {
    while (octets > 0) {
        const std::string_view input = channel_.read_data().substr(0, octets);
        if (message.out_of_time()) throw ClientLost(ETIMEDOUT);
        octets -= message.take(input);
        channel_.consume(input.size());
    }
}

void Session::discard(std::uint64_t octets) {
    const Deadline deadline = Deadline::in(discard_time_limit);
    while (octets > 0) {
        const std::size_t count = channel_.read_data().substr(0, octets).size();
        if (deadline.passed()) throw ClientLost(ETIMEDOUT);
        channel_.consume(count);
        octets -= count;
    }
}

void Session::refuse_message() {
    const mail::MessageRefusal& refusal = *transaction_->message->refusal();
    if (refusal.odd) spent_ = true;
    refuse(refusal.cause, mail::smtp_reply(refusal));
}

void Session::end_message() {
    IncomingMessage& message = *transaction_->message;
    message.end();
    if (message.refusal())
        refuse_message();
    else if (believes_message(message.sink()) && milters_let_message_pass())
        finish_message(message.sink(), message.size());
    transaction_.reset();
    forwarded_.clear();
}

void Session::finish_message(MessageSink& sink, std::uint64_t size) {
    const queue::SubmitAnswer answer = sink.finish(transaction_->sender, transaction_->recipients);
    if (answer.code != queue::SubmitCode::accepted) {
        const bool permanent = queue::is_permanent(answer.code, answer.text);
        const std::string text = policy::one_line(queue::submit_text(answer.code, answer.text));
        // RFC 3463: 4.3.1 is a full mail system, and that is 452.
        const bool full = text.ends_with("(#4.3.1)");
        return refuse("queue", (permanent ? "554 " : full ? "452 " : "451 ") + text);
    }
    say(fmt::format("250 ok {} qp {}", now_seconds(), sink.qp()));
    metrics::count("smtp.messages", service());
    metrics::count("smtp.recipients", service(), transaction_->recipients.size());
    metrics::observe("smtp.size", size);
    log_(accept_event(speaker(), sink.qp(), transaction_->sender, transaction_->recipients, size,
                      sink.session())
             .with("dns", evidence()));
    if (const auto* verification = chain_.verification())
        log_(verified_event(sink.qp(), client_.ip, verification->summary()));
    tell_for_report(sink.qp(), 0);
    tell_of_milters(sink.qp());
    if (!forwarded_.empty()) log_(forwarded_event(sink.qp(), client_.ip, forwarded_));
    bad_commands_ = 0;
}

}  // namespace relais::smtpd
