// An instance's directory for unit tests: control files in a temporary place.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "control/home.h"

namespace relais::smtpd {

class TestHome {
  public:
    TestHome() {
        std::string name = std::filesystem::temp_directory_path() / "relais-smtpd.XXXXXX";
        directory_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(directory_ / "control");
        control("me", "mail.test\n");
    }
    ~TestHome() { std::filesystem::remove_all(directory_); }
    TestHome(const TestHome&) = delete;
    TestHome& operator=(const TestHome&) = delete;

    void control(const std::string& name, const std::string& content) const {
        std::ofstream(directory_ / "control" / name) << content;
    }
    control::Home home() const { return control::Home(directory_); }

  private:
    std::filesystem::path directory_;
};

}  // namespace relais::smtpd
