// Where an instance lives, with bin control users alias queue sockets below it: $QMAILHOME, else where the
// running program was called from, by default /var/qmail.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relais::control {

class Home {
  public:
    explicit Home(std::string directory) : directory_(std::move(directory)) {}
    // $QMAILHOME, else of_program() for the path by which this program was executed, else /var/qmail.
    static Home from_environment();
    // The directory above the bin/ of that path, if it has control/owners; else the same for what the path is
    // a link to, as /usr/sbin/sendmail often is. Nothing if it is no instance's program.
    static std::optional<std::string> of_program(const std::string& path);

    const std::string& directory() const { return directory_; }
    std::string path(std::string_view below) const { return directory_ + "/" + std::string(below); }
    std::string control_file(std::string_view name) const { return path("control/" + std::string(name)); }
    // A local socket of the instance: "queue-network", "queue-bounce", "queue-submit", "resolver".
    std::string socket(std::string_view name) const { return path("sockets/" + std::string(name)); }
    // The path of one of the suite's programs: the instance's own bin/NAME, else (an instance without bin, a
    // try-out from the build tree) the neighbour of the running program. Throws Error if neither can be
    // executed.
    std::string program(std::string_view name) const;

  private:
    std::string directory_;
};

}  // namespace relais::control
