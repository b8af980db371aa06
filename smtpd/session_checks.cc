// How a session has mail from outside checked and verified.
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "metrics/count.h"
#include "smtpd/log.h"
#include "smtpd/milter_sink.h"
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

// On top of a larger message stands what SPF says alone: each session may have that much in memory.
constexpr std::size_t kept_message_limit = std::size_t{2} << 20;

constexpr char held_letter[] =
    "Date: {date}\nFrom: MAILER-DAEMON@{me}\nTo: postmaster@{me}\nMessage-ID: <held.{now}.{pid}@{me}>\n"
    "Subject: the login {login} is held\nAuto-Submitted: auto-generated\n\n"
    "The login {login} has gone beyond a hard budget of control/ratelimits, last from {client}.\n"
    "Somebody else may have its password. It may send nothing more until you release it:\n\n"
    "    queue-list --login {login}              what of it is still in the queue\n"
    "    queue-list hold --login {login}         keep that there; delete and release go the same way\n"
    "    qmail-passwd set {login}                a new password\n"
    "    qmail-counts --release {login}          it may send again\n\n"
    "You are told this once.\n";

}  // namespace

void Session::wait_for_early_talk() {
    const std::chrono::seconds delay = settings_.wait_before_greeting(client_);
    if (delay.count() == 0 || !channel_.has_input_within(delay)) return;
    spent_ = true;
    chain_.heard_early();
}

void Session::tarpit() {
    const std::uint64_t count = client_.tarpit_count.value_or(settings_.tarpit_count);
    if (count == 0 || is_trusted() || ++recipients_named_ <= count || !chain_.is_stranger()) return;
    pause(settings_.tarpit_pause(client_));
}

void Session::pause(std::chrono::seconds time) {
    if (time.count() == 0) return;
    channel_.flush();
    ::poll(nullptr, 0, static_cast<int>(std::chrono::milliseconds(time).count()));
}

// Once, for a login is held once. What is submitted goes the way of the session's messages, with our name.
void Session::tell_postmaster_of_held(const std::string& login) {
    const std::string name = safe_for_log(login);
    log_(notice_event("alert: the login " + name + " is held, for it has gone beyond a hard budget of " +
                      "control/ratelimits: qmail-counts --release " + name));
    const std::int64_t now = now_seconds();
    const std::string postmaster = "postmaster@" + settings_.me;
    try {
        const std::unique_ptr<MessageSink> sink = open_sink_();
        sink->begin({"", {{postmaster}}, {}});
        sink->write(fmt::format(held_letter, fmt::arg("login", name), fmt::arg("me", settings_.me),
                                fmt::arg("date", date_822(now)), fmt::arg("now", now),
                                fmt::arg("pid", ::getpid()), fmt::arg("client", client_.ip)));
        if (const auto answer = sink->finish("", {postmaster}); answer.code != queue::SubmitCode::accepted)
            log_(notice_event("alert: the postmaster is not told: " +
                              queue::submit_text(answer.code, answer.text)));
    } catch (const Error& error) {
        log_(notice_event(std::string("alert: the postmaster is not told: ") + error.what()));
    }
}

void Session::keep_fields(std::vector<std::string> fields) {
    auto& kept = transaction_->fields;
    for (std::string& field : fields)
        if (std::find(kept.begin(), kept.end(), field) == kept.end()) kept.push_back(std::move(field));
}

void Session::tell_for_report(std::uint64_t message, std::uint64_t refused_at) {
    const auto* verification = chain_.verification();
    if (verification == nullptr) return;
    const auto seen = verification->observation(transaction_->recipients, message == 0);
    if (seen) log_(dmarcrpt::event_of(*seen, message).at(refused_at));
}

std::unique_ptr<MessageSink> Session::open_sink() {
    auto sink = open_sink_();
    if (milters_ != nullptr)
        sink = std::make_unique<MilterSink>(std::move(sink), *milters_,
                                            [this] { return submitter_by_open_smtp(); });
    policy::IncomingChecks* const verification = chain_.verification();
    if (verification == nullptr && chain_.subjects() == nullptr) return sink;
    return std::make_unique<LateHeader>(std::move(sink), kept_message_limit, [verification] {
        return verification != nullptr ? verification->fields() : std::string();
    });
}

void Session::tell_suspicion(const policy::Verdict& verdict, std::string_view recipient) {
    if (verdict.suspicion.empty()) return;
    if (verdict.passes()) metrics::count("smtp.suspects");
    if (!is_trusted() && !refusals_.may_log()) return;
    log_(suspect_event(speaker(), transaction_->sender, std::string(recipient), verdict.suspicion)
             .with("dns", evidence()));
}

bool Session::believes_message(MessageSink& sink) {
    const policy::Verdict verdict = chain_.judge_message();
    for (const std::string& notice : verdict.notices) log_(notice_event(notice));
    tell_suspicion(verdict, transaction_->recipients.front());
    if (!verdict.passes()) {
        refuse(verdict.check, verdict.reply, std::nullopt, verdict.why);
        if (logged_refusal_ != 0 && verdict.cause == policy::Cause::dmarc)
            tell_for_report(0, logged_refusal_);
        return false;
    }
    std::string fields;
    for (const std::string& field : verdict.fields) fields += field;
    if (auto* verification = chain_.verification()) fields += verification->fields();
    // It is the one that open_sink has made.
    if (chain_.verification() != nullptr || chain_.subjects() != nullptr)
        static_cast<LateHeader&>(sink).put_on_top(fields);
    return true;
}

}  // namespace relais::smtpd
