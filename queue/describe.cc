#include "queue/describe.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "send/schedule.h"

namespace relais::queue {
namespace {

std::string bracketed(std::string_view address) {
    return "<" + printable(address) + ">";
}

std::string_view mark_word(Mark mark) {
    switch (mark) {
        case Mark::to_do:
            return "to_do";
        case Mark::failed:
            return "failed";
        case Mark::done:
            break;
    }
    return "done";
}

std::string_view route_word(const send::RewriteRules& rules, const Recipient& recipient) {
    return send::name_of(send::rewrite(rules, recipient.address).channel);
}

// The first recipient that is still open (or else the first), and how many more there are.
std::string recipients_text(const Envelope& envelope) {
    const auto& all = envelope.recipients;
    if (all.empty()) return "nobody";
    auto shown =
        std::find_if(all.begin(), all.end(), [](const auto& each) { return each.mark == Mark::to_do; });
    if (shown == all.end()) shown = all.begin();
    std::string text = printable((*shown).address);
    if (all.size() > 1) text += fmt::format(" and {} more", all.size() - 1);
    return text;
}

std::string next_text(std::int64_t next, std::int64_t now) {
    return next == 0 ? "-" : next <= now ? "now" : span_text(next - now);
}

// qmail-send's words have several lines, our own has one. Each is indented.
std::string reasons(const SeenMessage& seen, const Surroundings& around) {
    const std::string own = around.why.empty() ? reason(seen) : "";
    std::string text;
    for (const std::string_view line : split(trim(own.empty() ? around.why : own), '\n'))
        text += "    " + printable(line) + "\n";
    return text;
}

// An error as it is found again in other words' lines: without line ends and what stands for them.
std::string kernel_of(std::string_view error) {
    std::string text;
    for (const char c : error)
        if (c != ' ' && c != '\n' && c != '/' && c != '_') text += c;
    return text;
}

// The reasons with the error in the first of them that has it, and "the same" in the others.
std::string told_once(std::string_view lines, const std::string& error) {
    const std::string kernel = kernel_of(error);
    std::string text;
    bool told = false;
    for (const std::string_view line : split(lines, '\n')) {
        if (line.empty()) continue;
        const bool has = !kernel.empty() && kernel_of(line).ends_with(kernel);
        const std::size_t colon = line.find(": ");
        if (has && told && colon != std::string_view::npos)
            text.append(line.substr(0, colon)).append(": the same\n");
        else
            text.append(line).append("\n");
        told = told || has;
    }
    return text;
}

// The hint for the message's last error; nullptr if there is none, or none is wanted.
const mail::BounceHint* hint_for(const SeenMessage& seen, const Surroundings& around) {
    const std::string& error = seen.message.status.last_error;
    return around.hints == nullptr || seen.damaged || error.empty() ? nullptr : around.hints->match(error);
}

std::string hint_line(const SeenMessage& seen, const Surroundings& around, std::string_view start) {
    const mail::BounceHint* hint = hint_for(seen, around);
    if (hint == nullptr) return "";
    return std::string(start) + "hint: " + printable(hint->cause + " " + hint->remedy) + "\n";
}

// "" where origin and uid say all of it.
std::string submitter_text(const Envelope& envelope) {
    using Kind = mail::Submitter::Kind;
    const mail::Submitter& submitter = envelope.options.submitter;
    if (submitter.kind == Kind::stranger || submitter.kind == Kind::local || submitter.kind == Kind::bounce)
        return {};
    return std::string(mail::kind_name(submitter.kind)) + " " + printable(submitter.name);
}

std::string time_text(std::int64_t when) {
    return when == 0 ? "never" : date_gmt(when) + " GMT";
}

}  // namespace

send::RewriteRules read_rules(const control::Home& home) {
    try {
        return send::RewriteRules::read(home);
    } catch (const Error& error) {
        log_line(std::string("warning: every recipient is shown as remote: ") + error.what());
        return {};
    }
}

std::int64_t next_try(const SeenMessage& seen, const send::RewriteRules& rules) {
    const Status& status = seen.message.status;
    if (seen.damaged || status.hold) return 0;
    if (waits_for_release(seen.message, now_seconds())) return seen.message.envelope.options.release;
    if (status.tries == 0) return 0;
    if (status.next_try != 0) return status.next_try;
    std::int64_t next = 0;
    for (const Recipient& recipient : seen.message.envelope.recipients) {
        if (recipient.mark != Mark::to_do) continue;
        const send::Channel channel = send::rewrite(rules, recipient.address).channel;
        const std::int64_t then =
            status.last_try + send::seconds_to_next_try(beginning(seen.message), status.last_try, channel);
        if (next == 0 || then < next) next = then;
    }
    return next;
}

std::string reason(const SeenMessage& seen) {
    const std::string_view state = states_of(seen).front();
    if (state == "damaged") return "its file is damaged, or still being received: it is left alone";
    if (state == "held") return "it is held until somebody releases it";
    if (state == "later") return release_text(seen.message);
    if (state == "bouncing") return "its bounce has not been taken yet";
    if (state == "done") return "every recipient is done; it is about to be removed";
    if (state == "new") return "it has not been tried yet";
    return seen.message.status.last_error.empty()
               ? "it is tried again later"
               : "the last try failed: " + printable(seen.message.status.last_error);
}

std::string span_text(std::int64_t seconds) {
    if (seconds < 0) seconds = 0;
    if (seconds < 120) return fmt::format("{}s", seconds);
    if (seconds < 120 * 60) return fmt::format("{}m", seconds / 60);
    if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

std::string table_head() {
    return fmt::format("{:<16} {:>5} {:>9} {:<8} {:>5} {:>5}  {}\n", "ID", "AGE", "BYTES", "STATE", "TRIES",
                       "NEXT", "SENDER -> RECIPIENT");
}

std::string table_rows(const SeenMessage& seen, const Surroundings& around) {
    const Status& status = seen.message.status;
    const std::string age = span_text(around.now - seen.birth());
    if (seen.damaged)
        return fmt::format("{:<16} {:>5} {:>9} {:<8} {:>5} {:>5}\n    {}\n", seen.id(), age, "-", "damaged",
                           "-", "-", reason(seen));
    std::string text = fmt::format(
        "{:<16} {:>5} {:>9} {:<8} {:>5} {:>5}  {} -> {}\n", seen.id(), age, seen.message.message_size,
        states_of(seen).front(), status.tries, next_text(next_try(seen, around.rules), around.now),
        bracketed(seen.message.envelope.sender), recipients_text(seen.message.envelope));
    if (around.subject) text += "    subject: " + printable(*around.subject) + "\n";
    const std::string why = told_once(reasons(seen, around), printable(status.last_error));
    if (!around.why.empty() || states_of(seen).front() != "new") text += why;
    if (kernel_of(why).find(kernel_of(printable(status.last_error))) == std::string::npos)
        text += "    last error: " + printable(status.last_error) + "\n";
    return text + hint_line(seen, around, "    ");
}

std::string summary(const SeenMessage& seen, std::int64_t now) {
    const std::string age = span_text(now - seen.birth());
    if (seen.damaged) return fmt::format("{} {:>5}  damaged\n", seen.id(), age);
    return fmt::format("{} {:>5} {:>9}  {} -> {}\n", seen.id(), age, seen.message.message_size,
                       bracketed(seen.message.envelope.sender), recipients_text(seen.message.envelope));
}

std::string details(const SeenMessage& seen, const Surroundings& around) {
    std::string text = fmt::format("message: {}\nfile: {}\nborn: {}, {} ago\n", seen.id(), around.path,
                                   time_text(seen.birth()), span_text(around.now - seen.birth()));
    std::string states;
    for (const std::string_view state : states_of(seen))
        states += (states.empty() ? "" : ", ") + std::string(state);
    text += "state: " + states + "\n";
    if (seen.damaged) return text + "waits:\n" + reasons(seen, around);
    text += "waits:\n" + told_once(reasons(seen, around), printable(seen.message.status.last_error));
    if (around.subject) text += "subject: " + printable(*around.subject) + "\n";
    const Envelope& envelope = seen.message.envelope;
    const Status& status = seen.message.status;
    text += fmt::format("bytes: {}\nfrom: {}, uid {}, qp {}\nsender: {}\n", seen.message.message_size,
                        origin_name(envelope.origin), envelope.uid,
                        envelope.pid != 0 ? envelope.pid : seen.id(), bracketed(envelope.sender));
    if (const std::string submitter = submitter_text(envelope); !submitter.empty())
        text += "submitter: " + submitter + "\n";
    if (!envelope.options.session.empty()) text += "session: " + envelope.options.session + "\n";
    text += fmt::format("tries: {}\nlast try: {}\n", status.tries, time_text(status.last_try));
    const std::int64_t next = next_try(seen, around.rules);
    text += "next try: " + (next == 0 ? std::string("-") : time_text(next)) + "\n";
    if (!status.last_error.empty()) text += "last error: " + printable(status.last_error) + "\n";
    text += hint_line(seen, around, "");
    for (const Recipient& recipient : envelope.recipients)
        text += fmt::format("recipient: {} {} {}\n", mark_word(recipient.mark),
                            route_word(around.rules, recipient), printable(recipient.address));
    if (!around.bounce_text.empty()) {
        text += "bounce text:\n";
        for (const std::string_view line : split(around.bounce_text, '\n'))
            text += "    " + printable(line) + "\n";
    }
    return text;
}

std::string json(const SeenMessage& seen, const Surroundings& around) {
    const auto when = [](std::int64_t time) { return time == 0 ? Json() : Json(time); };
    Json object{{"id", std::to_string(seen.id())},  {"birth", seen.birth()},
                {"age", around.now - seen.birth()}, {"state", std::string(states_of(seen).front())},
                {"states", states_of(seen)},        {"why", around.why.empty() ? reason(seen) : around.why}};
    if (!seen.damaged) {
        const Envelope& envelope = seen.message.envelope;
        const Status& status = seen.message.status;
        object["bytes"] = seen.message.message_size;
        object["origin"] = origin_name(envelope.origin);
        object["uid"] = envelope.uid;
        object["submitter"] = text_or_null(submitter_text(envelope));
        object["qp"] = std::to_string(envelope.pid != 0 ? envelope.pid : seen.id());
        object["sender"] = envelope.sender;
        if (around.subject) object["subject"] = *around.subject;
        object["held"] = status.hold;
        object["tries"] = status.tries;
        object["last_try"] = when(status.last_try);
        object["next_try"] = when(next_try(seen, around.rules));
        object["last_error"] = text_or_null(status.last_error);
        if (around.hints != nullptr) {
            const mail::BounceHint* hint = hint_for(seen, around);
            object["hint"] =
                hint == nullptr
                    ? Json()
                    : Json{{"name", hint->name}, {"cause", hint->cause}, {"remedy", hint->remedy}};
        }
        object["recipients"] = Json::array();
        for (const Recipient& recipient : envelope.recipients)
            object["recipients"].push_back({{"address", recipient.address},
                                            {"state", mark_word(recipient.mark)},
                                            {"channel", route_word(around.rules, recipient)}});
    }
    return object.line();
}

}  // namespace relais::queue
