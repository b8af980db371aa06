#include "explain/local_route.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "control/owners.h"
#include "explain/mailbox.h"
#include "explain/run_as.h"
#include "local/delivery.h"
#include "local/delivery_refusal.h"
#include "local/user_database.h"
#include "mail/address.h"
#include "send/default_delivery.h"

namespace relais::explain {
namespace {

constexpr std::size_t description_limit = std::size_t{1} << 20;

struct Recipient {
    local::User user;
    local::FoundBy by;
};

// As qmail-lspawn's look-up child sees it: the data bases of users are qmailp's to read, and never root's.
Recipient look_up(const control::Home& home, const control::Owners& owners, const std::string& local_part) {
    const control::Owner self = owners.of(control::Role::qmailp);
    const std::string words = run_as(self.uid, self.gid, [&] {
        Recipient found;
        found.user = local::UserFinder(home).find(local_part, &found.by);
        std::string key = found.by.key;
        if (key.ends_with('\0')) key.back() = '=';
        return std::to_string(static_cast<int>(found.by.step)) + key + '\0' + local::encode_user(found.user);
    });
    const std::size_t end = words.find('\0');
    const std::string_view fields = std::string_view(words).substr(end + 1);
    auto user = local::decode_user(fields.substr(0, fields.size() - 1), "");
    if (!user) throw Error(Reaction::temporary, "the user's record cannot be read");
    return {*std::move(user), {static_cast<local::FoundBy::Step>(words[0] - '0'), words.substr(1, end - 1)}};
}

// What a key of users/cdb says in users/assign: "=joe" or "+joe-".
std::string assign_line(std::string_view key) {
    key.remove_prefix(1);
    if (key.ends_with('=')) return "=" + std::string(key.substr(0, key.size() - 1));
    return "+" + std::string(key);
}

std::string evidence_of(const Recipient& found, std::string_view local_part) {
    const std::string who =
        found.user.name + ", uid " + std::to_string(found.user.uid) + ", home " + found.user.home;
    switch (found.by.step) {
        case local::FoundBy::Step::assign:
            return "the line " + assign_line(found.by.key) + " takes it: user " + who;
        case local::FoundBy::Step::system:
            return "nothing in users/cdb; the system's user " + who;
        case local::FoundBy::Step::alias:
            break;
    }
    return "neither users/cdb nor the system has a user for " + std::string(local_part) + ": " + who;
}

struct Description {
    Exit end = Exit::temporary;
    std::string file;
    bool forward_only = false;
    std::string words;  // lines of qmail-local -n, or what is wrong
};

Description describe(const control::Home& home, const control::Owners& owners, const std::string& address,
                     const local::User& user) {
    const mail::AddressParts parts = mail::split_address(address);
    local::Order order{user, std::string(parts.local),          std::string(parts.domain),
                       "",   send::read_default_delivery(home), std::nullopt};
    order.instance = &home;
    const control::Owner self = owners.of(control::Role::alias);
    const std::string words =
        run_as(owners.single() ? self.uid : user.uid, owners.single() ? self.gid : user.gid, [&] {
            local::Output out(description_limit);
            local::DotQmail found;
            const Exit end = local::describe(order, out, &found);
            return std::to_string(static_cast<int>(end)) + '\0' + found.path + '\0' +
                   (found.forward_only ? "x" : "") + '\0' + out.take();
        });
    const auto fields = split(words, '\0');
    Description description;
    description.end = static_cast<Exit>(parse_number(fields[0]).value_or(111));
    description.file = fields[1];
    description.forward_only = !fields[2].empty();
    description.words = words.substr(fields[0].size() + fields[1].size() + fields[2].size() + 3);
    return description;
}

// The lines of qmail-local -n without its counts.
std::vector<std::string> instructions_in(std::string_view words) {
    std::vector<std::string> lines;
    for (const std::string_view line : split(trim(words), '\n'))
        if (!line.empty() && !line.starts_with("did ") && !line.starts_with("Warning: "))
            lines.emplace_back(line);
    return lines;
}

std::string summary(const std::vector<std::string>& instructions) {
    if (instructions.empty()) return "nothing is done with it: it vanishes";
    if (instructions.size() > 1) return std::to_string(instructions.size()) + " instructions";
    return instructions.front();
}

// A delivery finds a mailbox, or fails for now: what the instructions alone do not tell.
void look_at_mailboxes(const control::Owners& owners, RouteReport& report) {
    const LocalEnd& end = *report.local;
    const control::Owner self = owners.of(control::Role::alias);
    const MailboxUser user{end.user, owners.single() ? self.uid : end.uid,
                           owners.single() ? self.gid : end.gid, end.home};
    for (const std::string_view line : end.instructions) {
        for (const auto& [kind, code] :
             {std::pair("maildir ", "no_maildir"), std::pair("mbox ", "no_mbox")}) {
            if (!line.starts_with(kind)) continue;
            const auto [trouble, remedy] =
                trouble_of_mailbox(user, std::string(trim(line.substr(std::string_view(kind).size()))));
            if (trouble.empty()) break;
            report.fate = Fate::waits;
            report.answer = "waits in the queue: the mailbox of " + end.user + " takes nothing";
            report.find(Weight::problem, code, trouble, remedy);
        }
    }
}

void show_description(const Description& description, RouteReport& report) {
    LocalEnd& end = *report.local;
    if (!description.file.empty()) end.dot_qmail = end.home + "/" + description.file;
    const std::string name = end.dash.empty() ? ".qmail" : ".qmail" + end.dash + end.extension;
    if (description.end == Exit::success) {
        end.instructions = instructions_in(description.words);
        report.fate = Fate::local;
        report.step(".qmail", description.file.empty()
                                  ? "no " + end.home + "/" + name + ": control/defaultdelivery"
                                  : end.dot_qmail +
                                        (description.forward_only ? " (executable: may only forward)" : ""));
        for (const std::string& line : end.instructions) report.step("", line);
        report.answer = "is delivered here, to " + end.user + ": " + summary(end.instructions);
        if (description.words.find("Warning: home directory is sticky") != std::string::npos) {
            report.fate = Fate::waits;
            report.answer = "waits in the queue: " + end.user + " is editing his .qmail file";
            report.find(Weight::problem, "home_sticky",
                        "the home directory is sticky: its user is editing his .qmail file, and mail waits",
                        "chmod -t " + end.home);
        }
        return;
    }
    const std::string words(trim(description.words));
    report.step(".qmail", words);
    if (description.end == Exit::permanent) {
        report.fate = Fate::bounces;
        report.answer = "bounces: " + end.user + " has no mailbox by that name";
        report.find(Weight::problem, "no_mailbox", words,
                    "make " + end.home + "/" + name + " (dots in it are colons), or " + end.home + "/.qmail" +
                        end.dash + "default");
    } else {
        report.fate = Fate::waits;
        report.answer = "waits in the queue: the delivery to " + end.user + " fails for now";
        report.find(Weight::problem, "local_trouble", words,
                    ::geteuid() == 0 ? "" : "this may only be so because you are not root");
    }
}

}  // namespace

namespace {

// users/assign counts when qmail-newu has made users/cdb of it.
void check_assign(const control::Home& home, RouteReport& report) {
    struct stat text {};
    struct stat cdb {};
    if (::stat(home.path("users/assign").c_str(), &text) != 0 || text.st_size == 0) return;
    const bool made = ::stat(home.path("users/cdb").c_str(), &cdb) == 0;
    const auto moment = [](const timespec& time) { return std::pair(time.tv_sec, time.tv_nsec); };
    if (made && moment(text.st_mtim) <= moment(cdb.st_mtim)) return;
    report.find(Weight::warning, "assign_not_compiled",
                made ? "users/assign is newer than users/cdb: what was changed in it does not count yet"
                     : "there is users/assign, but no users/cdb is made of it: it does not count",
                "qmail-newu");
}

}  // namespace

void explain_local(const control::Home& home, const std::string& address, RouteReport& report) {
    check_assign(home, report);
    const std::string local_part(mail::split_address(address).local);
    try {
        const auto owners = control::Owners::read(home);
        const Recipient found = look_up(home, owners, local_part);
        static constexpr std::string_view names[] = {"users/cdb", "passwd", "alias"};
        LocalEnd end;
        end.user = found.user.name;
        end.uid = found.user.uid;
        end.gid = found.user.gid;
        end.home = found.user.home;
        end.dash = found.user.dash;
        end.extension = local::file_name_extension(found.user.extension);
        end.found_by = names[static_cast<int>(found.by.step)];
        report.local = std::move(end);
        report.step(report.local->found_by, evidence_of(found, local_part));
        const local::FoundIds ids{found.user.uid, found.user.gid,
                                  found.by.step == local::FoundBy::Step::assign};
        if (const auto refusal = local::DeliveryRefusals(home).of(local_part, ids)) {
            report.fate = Fate::waits;
            report.answer = "waits in the queue: " + found.user.name + " never gets a delivery";
            report.find(Weight::problem, "refused_user", *refusal,
                        "give the address to another user in users/assign, and run qmail-newu");
            return;
        }
        show_description(describe(home, owners, address, found.user), report);
        if (report.fate == Fate::local) look_at_mailboxes(owners, report);
    } catch (const Error& error) {
        report.fate = Fate::waits;
        report.answer = "waits in the queue: its user cannot be looked up";
        report.find(Weight::problem, "lookup_failed", error.what(),
                    ::geteuid() == 0 ? "" : "this may only be so because you are not root");
    }
}

}  // namespace relais::explain
