// Where an instance lives: $QMAILHOME, by default /var/qmail, with bin control users alias queue sockets below it.
#pragma once

#include <string>
#include <string_view>

namespace relais::control {

class Home {
  public:
    explicit Home(std::string directory) : directory_(std::move(directory)) {}
    // $QMAILHOME or /var/qmail.
    static Home from_environment();

    const std::string& directory() const { return directory_; }
    std::string path(std::string_view below) const { return directory_ + "/" + std::string(below); }
    std::string control_file(std::string_view name) const { return path("control/" + std::string(name)); }
    // A local socket of the instance: "queue-network", "queue-bounce", "queue-submit", "resolver".
    std::string socket(std::string_view name) const { return path("sockets/" + std::string(name)); }
    // The path of one of the suite's programs: the instance's own bin/NAME, else (an instance without bin, a try-out from
    // the build tree) the neighbour of the running program. Throws Error if neither can be executed.
    std::string program(std::string_view name) const;

  private:
    std::string directory_;
};

}  // namespace relais::control
