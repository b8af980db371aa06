// For tests: an empty instance in a temporary directory, removed at the end.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/home.h"
#include "queue/store.h"

namespace relais::queue {

class TestHome {
  public:
    TestHome() {
        std::string pattern = (std::filesystem::temp_directory_path() / "relais-queue-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory_ = pattern;
        std::filesystem::create_directories(directory_ + "/sockets");
        for (const std::string& path : queue_directories(home())) std::filesystem::create_directories(path);
    }
    ~TestHome() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    TestHome(const TestHome&) = delete;
    TestHome& operator=(const TestHome&) = delete;

    control::Home home() const { return control::Home(directory_); }

  private:
    std::string directory_;
};

}  // namespace relais::queue
