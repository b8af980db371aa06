// A Maildir in a temporary directory, for unit tests.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace relais::pop3 {

class TestMaildir {
  public:
    TestMaildir() {
        std::string path = "/tmp/relais-maildir.XXXXXX";
        path_ = ::mkdtemp(path.data());
        for (const char* part : {"new", "cur", "tmp"}) std::filesystem::create_directory(path_ / part);
    }
    ~TestMaildir() { std::filesystem::remove_all(path_); }
    TestMaildir(const TestMaildir&) = delete;
    TestMaildir& operator=(const TestMaildir&) = delete;

    std::string path() const { return path_; }
    // seconds: when it came, since 1970.
    void add(const std::string& name, const std::string& content, std::int64_t seconds = 1000) {
        std::ofstream(path_ / name) << content;
        const timespec times[2] = {{seconds, 0}, {seconds, 0}};
        ::utimensat(AT_FDCWD, (path_ / name).c_str(), times, 0);
    }
    void rename(const std::string& from, const std::string& to) {
        std::filesystem::rename(path_ / from, path_ / to);
    }
    void remove(const std::string& name) { std::filesystem::remove(path_ / name); }
    bool has(const std::string& name) const { return std::filesystem::exists(path_ / name); }

  private:
    std::filesystem::path path_;
};

}  // namespace relais::pop3
