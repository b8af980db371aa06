// Which users the run scripts of services name: by numbers, which a restore brings from another machine.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// The numbers behind -u and --reuid= in a script. Pure.
std::vector<uid_t> users_of_script(std::string_view text);

// Says which scripts of the instance's services name a user that is neither root nor a role.
void look_at_script_users(const Plan& plan, Report& report);

}  // namespace relais::setup
