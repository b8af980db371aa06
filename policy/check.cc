#include "policy/check.h"

namespace relais::policy {

Result refusal(Cause cause, std::string reply, std::string why) {
    Result result;
    result.answer = reply.starts_with("4") ? Answer::defer : Answer::refuse;
    result.cause = cause;
    result.reply = std::move(reply);
    result.why = std::move(why);
    return result;
}

Result found(std::string reply, std::string why, std::string entry) {
    Result result = refusal(Cause::check, std::move(reply), std::move(why));
    result.entry = std::move(entry);
    return result;
}

Result cannot_tell(std::string reply, std::string why) {
    Result result = refusal(Cause::check, std::move(reply), std::move(why));
    result.unknown = true;
    return result;
}

Result suspicious(std::string text) {
    Result result;
    result.suspicion = std::move(text);
    return result;
}

}  // namespace relais::policy
