// An instance's directory for unit tests.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "control/home.h"

namespace relais::opensmtp {

class TestHome {
  public:
    TestHome() {
        std::string name = std::filesystem::temp_directory_path() / "relais-relay.XXXXXX";
        directory_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(directory_ / "control");
        std::filesystem::create_directory(directory_ / "open-smtp");
    }
    ~TestHome() { std::filesystem::remove_all(directory_); }
    TestHome(const TestHome&) = delete;
    TestHome& operator=(const TestHome&) = delete;

    void control(const std::string& name, const std::string& content) const {
        write("control/" + name, content);
    }
    void write(const std::string& name, const std::string& content) const {
        std::ofstream(directory_ / name, std::ios::binary) << content;
    }
    std::filesystem::path path(const std::string& name) const { return directory_ / name; }
    control::Home home() const { return control::Home(directory_); }

  private:
    std::filesystem::path directory_;
};

}  // namespace relais::opensmtp
