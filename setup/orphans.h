// What has outlived who looked after it: a supervise its svscan, a service or its log its supervise. Nobody
// starts these again, and what they write may reach no log.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"
#include "setup/process_table.h"

namespace relais::setup {

// Services that no supervise looks after. Beside an svscan their supervise is there anew, cannot start what
// still runs, and has nobody to hand signals on to.
std::vector<Seen> orphaned_services(const Plan& plan);
// Ends them, and waits for that. False if there were none.
bool end_orphaned_services(const Plan& plan);

// Services whose log has a multilog without a supervise. It has the log's lock as long as anybody writes to
// it, be it a delivery from before, and meanwhile no other multilog can write there.
std::vector<std::string> orphaned_logs(const Plan& plan);
// Ends them, and waits for that. False if there were none.
bool end_orphaned_logs(const Plan& plan);

// Whether there is anything of the kind, of logs also beside an svscan.
bool has_orphans(const Plan& plan);
// Ends all of it, where there is no svscan, and waits for that. False if there was none. Throws Error.
bool end_orphans(const Plan& plan);
// Ends the logs that have not ended with who writes to them; one whose disk takes nothing is killed.
void end_logs(const Plan& plan);

}  // namespace relais::setup
