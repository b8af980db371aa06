// The pages of the console: HTML of what the other half found. Pure.
#pragma once

#include <string>

#include "console/protocol.h"
#include "console/samples.h"
#include "http/request.h"

namespace relais::console {

// What is to be said instead of rows; "" for an answer that has them.
std::string trouble_of(const Answer& answer);

// once: the secret of a one-time login, or "". why: what was wrong the last time.
std::string login_body(std::string_view once, std::string_view why);
std::string now_body(const Answer& doctor, const Answer& queue, const Samples& samples);
// query: the filter, by the names of its fields.
std::string queue_body(const Answer& found, const http::Form& query);
std::string confirm_body(const Answer& hits, std::string_view act);
std::string result_body(const Answer& results, std::string_view act);
std::string message_body(std::string_view id, const Answer& life, const Answer& detail);
// sender: what qmail-send has for them now.
std::string destinations_body(const Answer& found, const Answer& sender);
// open: from where logins have opened SMTP; held: who is held. An operator may change both.
std::string people_body(const Answer& found, const Answer& open, const Answer& held);
// What became of one of person_acts.
std::string person_body(const Answer& result);
std::string refusals_body(const Answer& found, const http::Form& query);
// found: what was asked by the query's fields; null: nothing yet.
std::string who_body(const http::Form& query, const Answer* found);
std::string settings_body(const Answer& found);

// The fields of a filter, in the order of Verb::queue's arguments.
inline constexpr std::string_view filter_fields[] = {"destination", "reason", "state", "sender", "recipient"};
Fields filter_of(const http::Form& query);
// "?destination=...": of those that are not empty.
std::string filter_query(const Fields& filter);

}  // namespace relais::console
