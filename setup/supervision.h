// Who looks after an instance's services: supervise (under our own svscan or the system's), systemd, or
// nobody.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "setup/layout.h"
#include "setup/process_table.h"

namespace relais::setup {

// What supervise writes about its service.
struct ServiceState {
    bool supervised = false;   // a supervise runs for it
    pid_t pid = 0;             // of the service, 0 if it is down
    std::int64_t seconds = 0;  // since it came up or went down
    bool wanted_up = true;
};

// name is a service, or "SERVICE/log" for its multilog.
ServiceState service_state(const Plan& plan, const std::string& name);
// Every service followed by its log.
std::vector<std::string> services_and_logs(const Plan& plan);
std::string service_directory(const Plan& plan, const std::string& name);

// Whether that process is the supervise of the service, or log, and the administrator's.
bool is_supervise_of(const Seen& seen, const Plan& plan, const std::string& name);
// Whether the process is the administrator's or a role's, as servers are.
bool has_user_of(pid_t pid, const Plan& plan);

// The svscan whose directory is this instance's service/, however it was started.
std::optional<pid_t> find_svscan(const Plan& plan);
// Starts one, apart from our terminal, with log/svscan for its complaints. Throws Error, also if somebody
// else could write what it would run.
void start_svscan(const Plan& plan);

// The processes that a service has started and that outlive it: SMTP sessions under tcpserver.
class Sessions {
  public:
    // Those that run now.
    explicit Sessions(const Plan& plan);
    // Lets them end by themselves for that long, then sends SIGTERM: a message that was not acknowledged is
    // the client's still.
    void end(Seconds patience);

  private:
    std::vector<Fd> processes_;
};

// Tells supervise, as svc -LETTERS does. Throws Error if svc fails.
void tell(const Plan& plan, const std::vector<std::string>& names, const std::string& letters);

// The systemd units of this instance: relais-send@ESCAPED.service and relais-smtpd@...
std::vector<std::string> systemd_units(const Plan& plan);
// True if systemd runs this machine and has these units enabled or active.
bool systemd_keeps(const Plan& plan);

// Waits until condition holds. False when the deadline passed first.
bool wait_until(const std::function<bool()>& condition, Deadline deadline);

}  // namespace relais::setup
