#include "auth/accounts.h"

#include <unistd.h>

#include "auth/hash.h"
#include "auth/passwd_file.h"
#include "base/cdb.h"
#include "base/error.h"
#include "control/owners.h"
#include "local/user_database.h"
#include "sasl/base64.h"
#include "sasl/scram.h"
#include "send/rewrite.h"

namespace relais::auth {
namespace {

std::optional<local::User> assigned_user(const control::Home& home, const std::string& local) {
    try {
        const CdbReader database(home.path("users/cdb"));
        return local::find_assigned(local, [&database](std::string_view key) { return database.find(key); });
    } catch (const Error& error) {
        if (error.number() == ENOENT) return std::nullopt;
        throw;
    }
}

// Whom mail for the account goes to, by locals, virtualdomains, users/cdb and the system's users.
std::optional<local::User> user_of(const control::Home& home, const std::string& name) {
    const send::Route route = send::rewrite(send::RewriteRules::read(home), name);
    const std::string& address = route.is_local() ? route.address : name;
    const std::string local = address.substr(0, address.rfind('@'));
    if (auto user = assigned_user(home, local)) return user;
    // The system's users are those of the local domains, and of the one that a login without domain means.
    if (!route.is_local() && !name.ends_with("@" + default_domain(home))) return std::nullopt;
    auto user = local::find_system_user(local, local::system_user);
    // anna-lists is an address of anna's, but no account.
    return user && user->extension.empty() ? user : std::nullopt;
}

// What users/assign or the system says, in an instance of one user that user.
Account new_account(const control::Home& home, const std::string& name) {
    Account account;
    account.name = name;
    if (const auto user = user_of(home, name)) {
        account.uid = user->uid;
        account.gid = user->gid;
        account.home = user->home;
    }
    const control::Owners owners = control::Owners::read(home);
    if (owners.single()) {
        account.uid = owners.of(control::Role::alias).uid;
        account.gid = owners.of(control::Role::alias).gid;
    }
    account.shell = "/bin/false";
    return account;
}

void apply(const AccountChanges& changes, Account& account) {
    if (changes.uid) account.uid = *changes.uid;
    if (changes.gid) account.gid = *changes.gid;
    if (changes.home) account.home = *changes.home;
    if (changes.shell) account.shell = *changes.shell;
    if (changes.maildir) account.maildir = *changes.maildir;
    if (account.uid == 0 || account.gid == 0 || account.home.empty())
        throw_permanent("no line of users/assign fits " + account.name +
                        " and no user of the system's: give --uid, --gid and --home (uid and gid above 0)");
    // What the file could not be read back with is refused before it is written.
    (void)parse_passwd_line(format_passwd_line(account));
}

std::string new_verifier(std::string_view password) {
    const std::string salt = sasl::decode_base64(sasl::new_scram_nonce()).value();
    return sasl::format_scram_verifier(
        sasl::make_scram_verifier(password, salt.substr(0, 16), sasl::scram_iterations));
}

}  // namespace

std::string account_name(const control::Home& home, const std::string& typed) {
    auto name = canonical_name(typed, default_domain(home));
    if (!name) throw_permanent("this cannot be an account: " + typed);
    return *std::move(name);
}

ChangedAccount set_account(const control::Home& home, const std::string& name, const Secret& password,
                           const AccountChanges& changes) {
    PasswdFile file(home, true);
    const auto old = file.find(name);
    Account account = old ? *old : new_account(home, name);
    apply(changes, account);
    account.hash = hash_password(password.view());
    account.verifier = changes.no_scram ? "" : new_verifier(password.view());
    const bool store = changes.store_secret || (!account.secret.empty() && !changes.forget_secret);
    account.secret = store ? std::string(password.view()) : "";
    file.set(account);
    file.save();
    return {.account = std::move(account), .added = !old};
}

std::vector<std::string> doubts_about(const control::Home& home, const Account& account) {
    std::vector<std::string> doubts;
    if (!send::rewrite(send::RewriteRules::read(home), account.name).is_local())
        doubts.push_back(
            "mail for " + account.name +
            " is not delivered here: its domain is in neither control/locals nor control/virtualdomains");
    std::string maildir = account.maildir.empty() ? "Maildir" : account.maildir;
    if (!maildir.starts_with('/')) maildir = account.home + "/" + maildir;
    if (::access(maildir.c_str(), F_OK) != 0 && errno == ENOENT)
        doubts.push_back("there is no Maildir " + maildir + ", and POP3 refuses the login: qmail-user add " +
                         account.name + " makes one");
    return doubts;
}

Json described(const Account& account) {
    return {{"account", account.name},
            {"gid", account.gid},
            {"home", account.home},
            {"maildir", account.maildir},
            {"scram", !account.verifier.empty()},
            {"shell", account.shell},
            {"stored_secret", !account.secret.empty()},
            {"uid", account.uid}};
}

std::string account_page(const Account& account) {
    return "account: " + account.name + "\nuid: " + std::to_string(account.uid) +
           "\ngid: " + std::to_string(account.gid) + "\nhome: " + account.home + "\nshell: " + account.shell +
           "\nmaildir: " + (account.maildir.empty() ? "as the service has it" : account.maildir) +
           "\nSCRAM-SHA-256: " + (account.verifier.empty() ? "no" : "yes") +
           "\nstored secret: " + (account.secret.empty() ? "no" : "yes (APOP, CRAM-MD5)") + "\n";
}

}  // namespace relais::auth
