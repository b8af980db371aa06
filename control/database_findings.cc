#include "control/database_findings.h"

#include <sys/stat.h>

#include "base/cdb.h"
#include "base/error.h"

namespace relais::control {
namespace {

struct Database {
    const char* source;
    const char* compiled;
    const char* made_by;
    bool needed = true;  // the source alone does nothing
};

constexpr Database databases[] = {{"control/morercpthosts", "control/morercpthosts.cdb", "qmail-newmrh"},
                                  {"tcp.smtp", "tcp.smtp.cdb", "qmailctl cdb"},
                                  {"tcp.smtp6", "tcp.smtp6.cdb", "qmailctl cdb", false},
                                  {"tcp.smtp", "tcp.smtp6.cdb", "qmailctl cdb", false},
                                  {"users/assign", "users/cdb", "qmail-newu"}};

bool newer(const struct stat& a, const struct stat& b) {
    return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
                                                : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

}  // namespace

std::vector<Finding> database_findings(const Home& home) {
    std::vector<Finding> findings;
    for (const Database& each : databases) {
        struct stat source {};
        struct stat compiled {};
        const bool has_source = ::stat(home.path(each.source).c_str(), &source) == 0;
        const bool has_compiled = ::stat(home.path(each.compiled).c_str(), &compiled) == 0;
        const std::string remedy = " (run " + std::string(each.made_by) + ")";
        if (has_source && has_compiled && newer(source, compiled))
            findings.push_back({each.source, true,
                                "it is newer than " + std::string(each.compiled) +
                                    ": its changes do not count yet" + remedy});
        else if (has_source && !has_compiled && each.needed)
            findings.push_back(
                {each.source, true,
                 "there is no " + std::string(each.compiled) + ": it does not count" + remedy});
        if (!has_compiled) continue;
        try {
            CdbReader(home.path(each.compiled));
        } catch (const Error& error) {
            findings.push_back({each.compiled, true, error.what() + remedy});
        }
    }
    return findings;
}

}  // namespace relais::control
