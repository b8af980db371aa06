// Settings of ours that mean what another system was told: each with where it came from, as a comment
// before the lines in files that have comments, and in the report. What is told nothing of here is left to
// the administrator.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "setup/old_settings.h"

namespace relais::setup {

class Proposals {
  public:
    // system: as comments call it.
    explicit Proposals(std::string system) : system_(std::move(system)) {}

    // A line of a file of lines, from that setting. Files are proposed as a whole when all lines are there.
    void line(const std::string& path, const std::string& text, const std::string& from);
    // The last line of a file, which is none of its settings.
    void end(const std::string& path, const std::string& text);
    // A file of one line, which has no room for a comment.
    void value(const std::string& path, const std::string& text, const std::string& from);
    // What somebody has to do, or to know, of that setting.
    void by_hand(const std::string& from, const std::string& text);
    // It has no equivalent that we know of.
    void unknown(const std::string& from, const std::string& text);
    bool has(const std::string& path) const { return !content(path).empty(); }
    // Of a file, as far as it is proposed; "" for none.
    std::string content(const std::string& path) const;
    // The settings of which somebody has to do, or to know, something.
    std::set<std::string> by_hand_names() const;

    // The files as settings, in the order in which they were begun, then the rest; owners are set.
    std::vector<OldSetting> take(const Plan& plan);

  private:
    struct File {
        OldSetting setting;
        std::vector<std::string> from;
        std::string last;               // of from, in the content
        std::set<std::string> lines{};  // those that are there come once
    };
    File& file(const std::string& path, const std::string& from);

    std::string system_;
    std::vector<File> files_;
    std::vector<OldSetting> rest_;
};

// "example.org" as a .qmail file's name has it: small, with colons for dots. "" for what can be no such name.
std::string extension_of(std::string_view address);
// "root" becomes "root@DOMAIN", where there is a domain.
std::string with_domain(const std::string& address, const std::string& domain);
// Whether that is a name of a domain, "." in front allowed, and so may stand in a control file.
bool is_domain_name(std::string_view text);
// Whether a text may stand as a part of a line of a control file.
bool is_plain(std::string_view text);

}  // namespace relais::setup
