// What the tools that explain have to say beyond the answer.
#pragma once

#include <string>
#include <vector>

namespace relais::explain {

enum class Weight {
    note,     // worth knowing
    warning,  // hardly anybody can want it, or it will bite later
    problem,  // the mail does not arrive
};
std::string_view name_of(Weight weight);

struct Finding {
    Weight weight = Weight::note;
    std::string code;    // for programs: "mx_is_me"
    std::string text;    // what is the matter, one sentence
    std::string remedy;  // what to do about it; may be empty
};

// One look at one place, in the order in which mail meets them.
struct RouteStep {
    std::string place;     // "locals", "users/cdb", "mx"
    std::string evidence;  // what was found there
};

}  // namespace relais::explain
