#include <algorithm>

#include "base/json.h"
#include "explain/present.h"

namespace relais::explain {
namespace {

Json rule_json(const Explanation& explanation) {
    const RuleMatch& rule = explanation.rule;
    Json json{{"allow", rule.allow}, {"key", rule.key}};
    json["file"] = rule.line != nullptr ? Json(rule.line->file) : Json();
    json["line"] = rule.line != nullptr ? Json(rule.line->number) : Json();
    json["text"] = rule.line != nullptr ? Json(rule.line->text) : Json();
    json["variables"] = Json::object();
    for (const auto& [name, value] : rule.variables) json["variables"][name] = value;
    json["text_differs"] = rule.text_differs;
    json["merged"] = rule.merged.has_value();
    return json;
}

Json login_json(const Explanation& explanation) {
    const opensmtp::OpenSmtpFinding& login = explanation.login;
    if (!login.entry) return Json();
    Json json{
        {"address", login.entry->address}, {"user", login.entry->user}, {"service", login.entry->service}};
    json["login"] = login.entry->login.wall;
    json["age"] = explanation.login_age;
    json["left"] =
        explanation.login_age ? std::max<std::int64_t>(explanation.lifetime - *explanation.login_age, 0) : 0;
    json["live"] = login.live;
    json["source"] = login.source;
    json["excluded"] = login.excluded;
    return json;
}

std::string_view name_of(policy::Cause cause) {
    switch (cause) {
        case policy::Cause::none:
            return "dialogue";
        case policy::Cause::bad_sender:
            return "bad_sender";
        case policy::Cause::check:
            return "check";
        case policy::Cause::local_sender:
            return "local_sender";
        case policy::Cause::foreign_login:
            return "foreign_login";
        case policy::Cause::too_long:
            return "too_long";
        case policy::Cause::unknown:
            return "unknown_recipient";
        case policy::Cause::cannot_tell:
            return "recipient_cannot_be_told";
        case policy::Cause::spf:
            return "spf";
        case policy::Cause::dmarc:
            return "dmarc";
        default:
            return "no_right";
    }
}

Json place_json(const std::optional<Place>& place) {
    return place ? Json{{"file", place->file}, {"line", place->line}} : Json();
}

Json recipient_json(const Explanation& explanation, const Outcome& outcome) {
    Json json{{"recipient", outcome.recipient}, {"sample", explanation.sample()}};
    json["allowed"] = outcome.accepted();
    json["reason"] = policy::name_of(explanation.right().value_or(outcome.domain.reason));
    json["cause"] = outcome.accepted() ? Json() : Json(name_of(outcome.verdict.cause));
    json["check"] = outcome.accepted() ? Json() : text_or_null(std::string(outcome.verdict.check));
    json["rule"] = place_json(outcome.rule);
    json["suspicion"] = text_or_null(outcome.verdict.suspicion);
    json["domain"] = {{"match", policy::name_of(outcome.domain.reason)},
                      {"detail", outcome.domain.detail},
                      {"place", place_json(outcome.place)}};
    json["command"] = outcome.exchange.command;
    json["reply"] = outcome.exchange.reply;
    json["log"] = outcome.exchange.log;
    json["decision"] = headline(explanation, outcome);
    return json;
}

}  // namespace

std::string to_json(const Explanation& explanation) {
    const Question& question = explanation.question;
    Json json{{"address", question.ip}, {"allowed", explanation.all_accepted()}};
    const auto right = explanation.right();
    json["right"] = right ? Json(policy::name_of(*right)) : Json();
    json["server"] = {{"name", explanation.listener.name},
                      {"address", explanation.listener.address},
                      {"port", explanation.listener.port},
                      {"rules", explanation.rules.path}};
    json["rule"] = rule_json(explanation);
    json["turned_away"] = text_or_null(explanation.turned_away);
    json["trouble"] = text_or_null(explanation.trouble);
    json["user"] = question.user;
    json["open_smtp"] = login_json(explanation);
    json["sender"] = {{"address", question.sender},
                      {"bad", explanation.bad_sender},
                      {"place", place_json(explanation.bad_sender_place)},
                      {"reply", explanation.mail.reply}};
    json["size_limit"] = explanation.client.databytes.value_or(explanation.settings.databytes);
    json["recipients"] = Json::array();
    for (const Outcome& outcome : explanation.outcomes)
        json["recipients"].push_back(recipient_json(explanation, outcome));
    json["notes"] = explanation.close_calls;
    json["remedies"] = explanation.remedies;
    return json.lines() + "\n";
}

}  // namespace relais::explain
