#include "control/cages.h"

#include <array>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace relais::control {
namespace {

constexpr std::array table = {queued_cage,
                              send_cage,
                              rspawn_cage,
                              remote_cage,
                              resolver_cage,
                              open_smtpd_cage,
                              countd_cage,
                              stsd_cage,
                              sts_fetch_cage,
                              milterd_cage,
                              traced_cage,
                              metrics_cage,
                              console_cage,
                              console_queue_cage,
                              look_trace_cage,
                              dmarc_report_cage,
                              console_act_cage,
                              top_door_cage,
                              smtpd_cage,
                              smtpd_alone_cage,
                              qmtpd_cage,
                              keyd_files_cage,
                              keyd_cage,
                              authd_cage,
                              authd_starter_cage,
                              authd_dovecot_cage,
                              hash_cage,
                              dialogue_cage,
                              popup_cage,
                              mail_verify_cage,
                              mail_verify_resolver_cage,
                              doctor_cage,
                              pop3d_cage};

using Promise = std::pair<std::string_view, bool Confinement::*>;
constexpr std::array<Promise, 15> promises = {{{"read", &Confinement::open_files},
                                               {"write", &Confinement::change_files},
                                               {"mkdir", &Confinement::make_directories},
                                               {"move", &Confinement::must_move_files},
                                               {"maymove", &Confinement::move_files},
                                               {"signal", &Confinement::signal_all},
                                               {"unix", &Confinement::local_sockets},
                                               {"inet", &Confinement::network},
                                               {"pair", &Confinement::socket_pairs},
                                               {"accept", &Confinement::accept},
                                               {"fork", &Confinement::fork},
                                               {"kill", &Confinement::signal_children},
                                               {"exec", &Confinement::run_programs},
                                               {"become", &Confinement::change_identity},
                                               {"thread", &Confinement::threads}}};

void promise(Confinement& allowed, std::string_view word) {
    for (const auto& [name, member] : promises)
        if (name == word) {
            allowed.*member = true;
            return;
        }
    throw Error(Reaction::bug, "no cage promises this: " + std::string(word));
}

// An administrator may keep settings elsewhere and link to them; a tool that writes such a file puts a new
// one into its place, so the directory counts.
std::vector<std::string> link_targets(const Home& home) {
    namespace fs = std::filesystem;
    std::set<std::string> found;
    for (const char* directory : {"control", "users"}) {
        std::error_code trouble;
        for (const fs::directory_entry& entry : fs::directory_iterator(home.path(directory), trouble)) {
            if (!entry.is_symlink(trouble)) continue;
            const fs::path target = fs::canonical(entry.path(), trouble);
            if (!trouble && target.has_parent_path() && target.parent_path() != "/")
                found.insert(target.parent_path().string());
        }
    }
    return {found.begin(), found.end()};
}

std::vector<std::string> paths(std::string_view words, const Home& home,
                               const std::vector<std::string>& given_paths) {
    std::vector<std::string> found;
    for (const std::string_view word : split(words, ' ')) {
        if (word.empty()) continue;
        if (word == linked)
            for (std::string& target : link_targets(home)) found.push_back(std::move(target));
        else if (word == given)
            found.insert(found.end(), given_paths.begin(), given_paths.end());
        else
            found.push_back(word.front() == '/' ? std::string(word) : home.path(word));
    }
    return found;
}

}  // namespace

std::span<const Cage> cages() {
    return table;
}

Confinement confinement(const Cage& cage, const Home& home, const std::vector<std::string>& given_paths) {
    Confinement allowed;
    for (const std::string_view word : split(cage.promises, ' '))
        if (!word.empty()) promise(allowed, word);
    allowed.read_below = paths(cage.reads, home, given_paths);
    allowed.write_below = paths(cage.writes, home, given_paths);
    return allowed;
}

void enter(const Cage& cage, const Home& home, const std::vector<std::string>& given_paths) {
    confine(confinement(cage, home, given_paths));
}

}  // namespace relais::control
