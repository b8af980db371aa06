#include "policy/check.h"

namespace relais::policy {
namespace {

Answer answer_of(std::string_view reply) {
    return reply.starts_with("4") ? Answer::defer : Answer::refuse;
}

}  // namespace

Result refusal(Cause cause, std::string reply, std::string why) {
    Result result;
    result.answer = answer_of(reply);
    result.cause = cause;
    result.reply = std::move(reply);
    result.why = std::move(why);
    return result;
}

Result found(std::string reply, std::string why, std::string entry) {
    Result result;
    result.answer = answer_of(reply);
    result.cause = Cause::check;
    result.reply = std::move(reply);
    result.why = std::move(why);
    result.entry = std::move(entry);
    return result;
}

Result cannot_tell(std::string reply, std::string why) {
    Result result;
    result.answer = Answer::defer;
    result.cause = Cause::check;
    result.reply = std::move(reply);
    result.why = std::move(why);
    result.unknown = true;
    return result;
}

Result suspicious(std::string text) {
    Result result;
    result.suspicion = std::move(text);
    return result;
}

}  // namespace relais::policy
