#include "setup/databases.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/setting.h"
#include "setup/command.h"
#include "setup/programs.h"

namespace relais::setup {
namespace {

constexpr std::size_t source_limit = std::size_t{64} << 20;

// trouble: what is wrong when it fails; what the program says follows.
void must_run(const std::vector<std::string>& words, const std::string& trouble,
              std::string_view input = {}) {
    const CommandResult result = capture(words, Deadline::in(Seconds(120)), input);
    if (!result.ok()) throw_permanent(trouble + ": " + std::string(trim(result.output)));
}

void must_run(const std::vector<std::string>& words) {
    must_run(words, words.front() + " failed");
}

std::string source(const Plan& plan, const char* name) {
    return read_file(plan.home.path(name), source_limit).value_or("");
}

// Said here, for the programs that compile do not know who called qmailctl.
void must_be_writable(const Plan& plan, const char* folder) {
    const std::string directory = *folder != 0 ? plan.home.path(folder) : plan.home.directory();
    if (::access(directory.c_str(), W_OK | X_OK) != 0) throw_errno("write into", directory);
}

// what: the file or files that the rules are from.
void compile_rules(const Plan& plan, const std::string& what, const std::string& database,
                   const std::string& rules) {
    const std::string cdb = plan.home.path(database);
    must_run({program("tcprules"), cdb, cdb.substr(0, cdb.size() - 3) + "tmp"},
             what + " is not compiled, " + database + " stays as it was", rules);
}

std::optional<struct timespec> changed_at(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    return info.st_mtim;
}

std::optional<struct timespec> changed_at(const Plan& plan, const char* name) {
    return changed_at(plan.home.path(name));
}

bool before(const struct timespec& a, const struct timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

struct Dependence {
    const char* database;
    const char* source;
};
constexpr const char* aliases = "users/aliases.cdb";

// The file that control/aliases names, as newaliases finds it; "" if there is none.
std::string source_of_aliases(const Plan& plan) {
    const std::string setting = control::read<"aliases">(plan.home);
    return setting.empty() || setting.starts_with('/') ? setting : plan.home.path(setting);
}

void compare_aliases(const Plan& plan, std::vector<std::string>& texts) {
    const std::string source = source_of_aliases(plan);
    if (source.empty()) return;
    const auto compiled = changed_at(plan, aliases), written = changed_at(source);
    const std::string path = plan.home.path(aliases);
    if (!compiled)
        texts.push_back(path +
                        " is missing, and control/aliases is there: mail for names that are nobody's waits "
                        "(newaliases)");
    else if (written && before(*compiled, *written))
        texts.push_back(path + " is older than " + source + ": the change does not count yet (newaliases)");
}

// One for each database that has a source.
std::vector<std::function<void()>> compilations(const Plan& plan) {
    must_be_writable(plan, "");
    ::setenv("QMAILHOME", plan.home.directory().c_str(), 1);
    std::vector<std::function<void()>> all{
        [&plan] { compile_rules(plan, "tcp.smtp", "tcp.smtp.cdb", source(plan, "tcp.smtp")); }};
    if (has_ipv6_rules(plan))
        all.emplace_back([&plan] {
            compile_rules(plan, "tcp.smtp6, followed by tcp.smtp,", "tcp.smtp6.cdb",
                          source(plan, "tcp.smtp6") + "\n" + source(plan, "tcp.smtp"));
        });
    if (changed_at(plan, "users/assign"))
        all.emplace_back([&plan] {
            must_be_writable(plan, "users");
            must_run({program("qmail-newu")});
        });
    if (changed_at(plan, "control/morercpthosts"))
        all.emplace_back([&plan] {
            must_be_writable(plan, "control");
            must_run({program("qmail-newmrh")});
        });
    if (changed_at(plan, "users/passwd"))
        all.emplace_back([] { must_run({program("qmail-passwd"), "build"}); });
    if (!source_of_aliases(plan).empty()) all.emplace_back([] { must_run({program("newaliases")}); });
    return all;
}

constexpr Dependence dependences[] = {
    {"tcp.smtp.cdb", "tcp.smtp"},         {"tcp.smtp6.cdb", "tcp.smtp"},
    {"tcp.smtp6.cdb", "tcp.smtp6"},       {"users/cdb", "users/assign"},
    {"users/passwd.cdb", "users/passwd"}, {"control/morercpthosts.cdb", "control/morercpthosts"}};

}  // namespace

void compile_databases(const Plan& plan) {
    for (const auto& compile : compilations(plan)) compile();
}

std::vector<std::string> refused_databases(const Plan& plan) {
    std::vector<std::string> texts;
    for (const auto& compile : compilations(plan)) try {
            compile();
        } catch (const Error& error) {
            if (error.reaction() != Reaction::permanent) throw;
            texts.emplace_back(trim(error.what()));
        }
    for (std::string& text : texts)
        std::ranges::replace_if(
            text, [](char c) { return c < 32 || c > 126; }, ' ');
    return texts;
}

std::vector<std::string> old_databases(const Plan& plan) {
    std::vector<std::string> texts;
    for (const auto& [database, source] : dependences) {
        const auto compiled = changed_at(plan, database), written = changed_at(plan, source);
        if (!written || (std::string_view(database) == "tcp.smtp6.cdb" && !has_ipv6_rules(plan))) continue;
        if (!compiled)
            texts.push_back(plan.home.path(database) + " is missing: " + source +
                            " does not count (qmailctl cdb)");
        else if (before(*compiled, *written))
            texts.push_back(plan.home.path(database) + " is older than " + source +
                            ": the change does not count yet (qmailctl cdb)");
    }
    compare_aliases(plan, texts);
    return texts;
}

}  // namespace relais::setup
