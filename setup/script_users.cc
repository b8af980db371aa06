#include "setup/script_users.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>

#include "base/io.h"
#include "base/text.h"
#include "base/words.h"
#include "control/owners.h"

namespace relais::setup {
namespace {

constexpr std::size_t script_limit = std::size_t{64} << 10;

bool is_known(const control::Owners& owners, uid_t uid) {
    return uid == 0 || std::any_of(control::roles.begin(), control::roles.end(),
                                   [&](const auto& row) { return owners.of(row.role).uid == uid; });
}

std::string script_of(const Plan& plan, const std::string& service) {
    const auto directory = plan.tree->directory("service/" + service);
    const Fd script = directory ? directory->try_open("run", O_RDONLY | O_NONBLOCK) : Fd();
    return script ? read_to_end(script.get(), script_limit, Deadline::in(Seconds(10))) : "";
}

}  // namespace

std::vector<uid_t> users_of_script(std::string_view text) {
    constexpr std::string_view long_option = "--reuid=";
    std::vector<uid_t> users;
    for (const std::string_view line : split(text, '\n')) {
        bool is_next = false;
        for (std::string_view word : words_of(line)) {
            if (word.starts_with(long_option))
                word.remove_prefix(long_option.size());
            else if (!is_next) {
                is_next = word == "-u";
                continue;
            }
            is_next = false;
            if (const auto number = parse_number(word)) users.push_back(static_cast<uid_t>(*number));
        }
    }
    return users;
}

void look_at_script_users(const Plan& plan, Report& report) {
    if (plan.identity.single) return;
    const control::Owners owners = control::Owners::read(plan.home);
    const control::Owner server = owners.of(control::Role::qmaild);
    for (const std::string& service : service_names(plan))
        for (const std::string& name : {service, service + "/log"})
            for (const uid_t uid : users_of_script(script_of(plan, name)))
                if (!is_known(owners, uid))
                    report.bad(
                        fmt::format("service/{}/run starts its program as uid {}, and no role has that "
                                    "number here",
                                    name, uid),
                        fmt::format("write the role's numbers into it (qmaild has -u {} -g {}), then "
                                    "qmailctl restart {}",
                                    server.uid, server.gid, plan.home.directory()));
}

}  // namespace relais::setup
