#include "setup/layout.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "base/words.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "metrics/page.h"
#include "queue/drop.h"
#include "queue/store.h"
#include "setup/certificate.h"
#include "setup/scripts.h"

namespace relais::setup {

using control::Owner;
using control::Role;

const std::vector<std::string> vital_programs = {
    "qmail-start",  "qmail-queued", "qmail-queue", "qmail-send",   "qmail-lspawn", "qmail-local",
    "qmail-rspawn", "qmail-remote", "qmail-smtpd", "qmail-inject", "sendmail",     "tcprules"};

namespace {

class Table {
  public:
    explicit Table(const Plan& plan) : plan_(plan), administrator_(plan.identity.administrator()) {}

    void directory(std::string path, mode_t mode = 0755) { directory(std::move(path), administrator_, mode); }
    void directory(std::string path, Owner owner, mode_t mode) {
        pieces_.push_back({std::move(path), Kind::directory, owner, mode, nullptr, true});
    }
    // One that an older instance does not have, and that the administrator may remove.
    void optional_directory(std::string path, Owner owner, mode_t mode) {
        pieces_.push_back({std::move(path), Kind::directory, owner, mode, nullptr, false});
    }
    void settings(std::string path, std::string content, bool vital = true) {
        settings(std::move(path), administrator_, std::move(content), vital);
    }
    void settings(std::string path, Owner owner, std::string content, bool vital) {
        pieces_.push_back({std::move(path), Kind::settings, owner, 0644,
                           [content = std::move(content)] { return content; }, vital});
    }
    // A database that is compiled from something else.
    void compiled(std::string path) {
        pieces_.push_back({std::move(path), Kind::settings, administrator_, 0644, nullptr, true});
    }
    void secret(std::string path, std::function<std::string()> content) {
        pieces_.push_back({std::move(path), Kind::secret, administrator_, 0600, std::move(content), false});
    }
    void script(std::string path, std::string content) {
        pieces_.push_back({std::move(path), Kind::script, administrator_, 0755,
                           [content = std::move(content)] { return content; }, true});
    }
    Owner of(Role role) const { return plan_.identity.of(role); }
    std::vector<Piece> take() { return std::move(pieces_); }

  private:
    const Plan& plan_;
    Owner administrator_;
    std::vector<Piece> pieces_;
};

// "mail.example.org" -> "example.org"; a name of two labels stays.
std::string domain_of(const std::string& me) {
    const std::size_t dot = me.find('.');
    return dot != std::string::npos && me.find('.', dot + 1) != std::string::npos ? me.substr(dot + 1) : me;
}

std::string listen_text(const std::vector<Listen>& listen) {
    std::string text;
    for (const Listen& each : listen)
        text += each.address + " " + std::to_string(each.port) + (each.proxied ? " proxy\n" : "\n");
    return text;
}

constexpr const char* dsnfrom_example =
    "# Clients that may ask for delivery reports, beside logins and RELAYCLIENT. qmail-smtpd(8)\n"
    "127.0.0.0/8\n::1\n";
constexpr const char* checks_example =
    "# What a check does with what it finds: off, log, tag, defer or refuse. qmail-checks(5)\n"
    "heloself log\nratelimits log\n#greylist defer\n#reversedns log\n#mfcheck log\n";
constexpr const char* ratelimits_example =
    "# How much strangers of a network and logins may send in a while. qmail-checks(5)\n"
    "messages of network 600/1h\nrefused of network 100/10m\n"
    "messages of login 200/1h\nrecipients of login 1000/1d\n";
constexpr const char* limits_example =
    "# What a program of a .qmail file may use: take the # away from what shall hold. qmail-local(8)\n"
    "#nproc 200\n#as 2000000000\n#cpu 600\n#fsize 1000000000\n#nofile 1024\n#core 0\n";

using Listeners = std::pair<const char*, const std::vector<Listen>&>;

// The services for our own users' mail, by name.
std::array<Listeners, 2> submission_services(const Plan& plan) {
    return {Listeners{"qmail-submission", plan.submission}, Listeners{"qmail-submissions", plan.submissions}};
}

// "submissionlisten"
std::string listen_file(std::string_view service) {
    return std::string(service.substr(service.find('-') + 1)) + "listen";
}

// The domains that a new instance takes mail for.
std::string own_domains(const Plan& plan) {
    return plan.me + "\n" + (plan.domain.empty() || plan.domain == plan.me ? "" : plan.domain + "\n");
}

void add_control(Table& table, const Plan& plan) {
    const std::string users_domain = plan.domain.empty() ? domain_of(plan.me) : plan.domain;
    table.directory("control");
    table.settings("control/owners", owners_text(plan.identity));
    table.settings("control/me", plan.me + "\n");
    table.settings("control/defaultdomain", users_domain + "\n", false);
    table.settings("control/plusdomain", users_domain + "\n", false);
    table.directory("control/servercerts", 0700);
    table.secret("control/servercert.pem", [name = plan.me] { return self_signed_certificate(name); });
    table.settings("control/locals", own_domains(plan), false);
    table.settings("control/rcpthosts", own_domains(plan));
    table.settings("control/defaultdelivery", "./Maildir/\n");
    if (!plan.identity.single) table.settings("control/minimumuid", "1000\n", false);
    table.settings("control/smtplisten", listen_text(plan.listen));
    table.settings("control/bounceformat", "both\n", false);
    table.settings("control/delaywarning", "14400\n", false);
    table.settings("control/dsnfrom", dsnfrom_example, false);
    table.settings("control/recipientcheck", "on\n", false);
    table.settings("control/checks", checks_example, false);
    table.settings("control/ratelimits", ratelimits_example, false);
    table.settings("control/mailauth", "on\n", false);
    table.settings("control/concurrencyincoming",
                   std::string(control::row<"concurrencyincoming">.fallback) + "\n");
    table.settings("control/perip", "25%\n", false);
    table.settings("control/logsize", std::string(control::row<"logsize">.fallback) + "\n", false);
    table.settings("control/keeptrace", "14 1G\n", false);
    table.settings("control/stresstimeout", "60\n", false);
    table.settings("control/concurrencyremote", "100\n", false);
    table.settings("control/dane", "1\n", false);
    table.settings("control/databytes", "50000000\n", false);
    table.settings("control/chunking", "1\n", false);
    table.settings("control/deliverby", "1\n", false);
    table.settings("control/enhancedcodes", "1\n", false);
    table.settings("control/futurerelease", "2592000\n", false);
    table.settings("control/holddays", "14\n", false);
    table.settings("control/refusalid", "1\n", false);
    table.settings("control/limitslocal", limits_example, false);
    table.settings("control/mtpriority", "1\n", false);
    table.settings("control/proctitle", "1\n", false);
    table.settings("control/queueminfree", "100000000 5%\n", false);
    table.settings("control/refusedlimit", "20\n", false);
    table.settings("control/refusedpause", "1\n", false);
    table.settings("control/requiretls", "1\n", false);
    table.settings("control/smtplimits", "1\n", false);
    table.settings("control/smtputf8", "1\n", false);
    table.settings("control/tlsmemory", "2592000\n", false);
    if (!plan.pop3.empty()) table.settings("control/pop3listen", listen_text(plan.pop3));
    if (!plan.pop3s.empty()) table.settings("control/pop3slisten", listen_text(plan.pop3s));
    for (const auto& [name, listen] : submission_services(plan))
        if (!listen.empty()) table.settings("control/" + listen_file(name), listen_text(listen));
}

void add_queue(Table& table, const Plan& plan) {
    const Owner owner = table.of(Role::qmailq);
    const std::size_t prefix = plan.home.directory().size() + 1;
    for (const std::string& path : queue::queue_directories(plan.home))
        table.directory(path.substr(prefix), owner, plan.identity.single ? 0700 : 02770);
    table.optional_directory("drop", owner, queue::drop_directory_mode);
}

// Each role writes its own, and qmailm, whose group the files get, reads all.
void add_metrics(Table& table, const Plan& plan) {
    table.directory("metrics");
    for (const Role role : metrics::counting_roles())
        table.directory("metrics/" + std::string(control::Owners::name(role)),
                        {table.of(role).uid, table.of(Role::qmailm).gid},
                        plan.identity.single ? 0700 : 02750);
}

void add_alias(Table& table, const Plan& plan) {
    const Owner alias = table.of(Role::alias);
    table.directory("alias", alias, 0755);
    for (const char* name : {"root", "postmaster", "mailer-daemon"})
        table.settings("alias/.qmail-" + std::string(name), alias,
                       plan.admin.empty() ? "./Maildir/\n" : "&" + plan.admin + "\n", false);
    for (const char* part : {"", "/new", "/cur", "/tmp"})
        table.directory("alias/Maildir" + std::string(part), alias, 0700);
}

void add_service(Table& table, const Plan& plan, const std::string& name, std::string script) {
    table.directory("service/" + name);
    table.directory("service/" + name + "/log");
    table.script("service/" + name + "/run", std::move(script));
    table.script("service/" + name + "/log/run", log_script(plan, name));
    table.directory("log/" + name, table.of(Role::qmaill), 0700);
}

std::size_t smtpd_count(const Plan& plan) {
    return plan.own_listener ? 1 : plan.listen.size();
}

void add_services(Table& table, const Plan& plan) {
    table.directory("service");
    table.directory("log");
    add_service(table, plan, "qmail-send", send_script(plan));
    for (std::size_t number = 1; number <= smtpd_count(plan); ++number)
        add_service(table, plan, numbered_service("qmail-smtpd", number), smtpd_script(plan, number));
    for (std::size_t number = 1; number <= plan.pop3.size(); ++number)
        add_service(table, plan, numbered_service("qmail-pop3d", number),
                    pop3d_script(plan, "pop3listen", number));
    for (std::size_t number = 1; number <= plan.pop3s.size(); ++number)
        add_service(table, plan, numbered_service("qmail-pop3s", number),
                    pop3d_script(plan, "pop3slisten", number));
    for (const auto& [name, listen] : submission_services(plan))
        for (std::size_t number = 1; number <= listen.size(); ++number)
            add_service(table, plan, numbered_service(name, number),
                        submission_script(plan, listen[number - 1], listen_file(name), number));
}

// Lines "ADDRESS PORT", or "ADDRESS PORT proxy".
std::vector<Listen> read_listen(const control::Home& home, const char* name) {
    std::vector<Listen> all;
    for (const std::string& line : control::read_lines(home, name).value_or(std::vector<std::string>{})) {
        const auto words = words_of(line);
        const bool proxied = words.size() == 3 && words[2] == "proxy";
        const auto port = words.size() == (proxied ? 3 : 2) ? parse_number(words[1]) : std::nullopt;
        if (!port || *port == 0 || *port > 65535)
            throw_permanent("control/" + std::string(name) + ": this is not \"ADDRESS PORT\": " + line);
        all.push_back({std::string(words[0]), static_cast<unsigned>(*port), proxied});
    }
    return all;
}

// Our own listener is the only SMTP service that does not belong to one line of smtplisten.
bool has_own_listener(const control::Home& home) {
    const auto script = control::read_lines(home, "../service/qmail-smtpd/run");
    if (script)
        for (const std::string& line : *script)
            if (line.find("qmail-smtpd \"$@\"") != std::string::npos) return true;
    return false;
}

}  // namespace

std::string numbered_service(const std::string& name, std::size_t number) {
    return number == 1 ? name : name + std::to_string(number);
}

bool has_ipv6_rules(const Plan& plan) {
    return !plan.own_listener && std::any_of(plan.listen.begin(), plan.listen.end(),
                                             [](const Listen& each) { return each.ipv6(); });
}

std::vector<std::string> service_names(const Plan& plan) {
    std::vector<std::string> names = {"qmail-send"};
    for (std::size_t number = 1; number <= smtpd_count(plan); ++number)
        names.push_back(numbered_service("qmail-smtpd", number));
    for (std::size_t number = 1; number <= plan.pop3.size(); ++number)
        names.push_back(numbered_service("qmail-pop3d", number));
    for (std::size_t number = 1; number <= plan.pop3s.size(); ++number)
        names.push_back(numbered_service("qmail-pop3s", number));
    for (const auto& [name, listen] : submission_services(plan))
        for (std::size_t number = 1; number <= listen.size(); ++number)
            names.push_back(numbered_service(name, number));
    return names;
}

std::vector<Piece> layout(const Plan& plan) {
    Table table(plan);
    table.directory("");
    add_control(table, plan);
    add_queue(table, plan);
    table.directory("users");
    table.directory("sockets");
    table.directory("open-smtp", table.of(Role::qmailo), 0750);
    add_metrics(table, plan);
    table.directory("trace", table.of(Role::qmailt), 0700);
    table.directory("counts", table.of(Role::qmailc), 0700);
    table.directory("sts", table.of(Role::qmailw), 0700);
    table.directory("milter", table.of(Role::qmailx), 0700);
    add_alias(table, plan);
    table.settings("tcp.smtp", rules_text(plan));
    table.compiled("tcp.smtp.cdb");
    if (has_ipv6_rules(plan)) {
        table.settings("tcp.smtp6", rules6_text());
        table.compiled("tcp.smtp6.cdb");
    }
    add_services(table, plan);
    return table.take();
}

// root does what control/owners of its own directory says, and in another one it is not root any more
// (control::enter).
static void refuse_another_owner(const Plan& plan) {
    const std::string& directory = plan.home.directory();
    const auto info = plan.tree->look("");
    if (!info) throw_errno("look at", directory);
    const uid_t owner = plan.identity.administrator().uid;
    const bool single = plan.identity.single;
    if (single ? ::geteuid() != 0 : info->st_uid == 0) return;
    throw_permanent(
        single ? fmt::format(
                     "{} belongs to root, and control/owners says that the instance is uid {}'s: chown it to "
                     "that user, with all that is in it",
                     directory, owner)
               : fmt::format(
                     "{} belongs to uid {}, and control/owners says that it is an instance of several users, "
                     "which must be root's: look at what is in it, then chown -R root:root {} and "
                     "qmail-setup --repair {}",
                     directory, info->st_uid, directory, directory));
}

// tcpserver does not read what a proxy says, nor does the POP3 server.
static void refuse_proxies(const char* file, const std::vector<Listen>& listen) {
    if (std::any_of(listen.begin(), listen.end(), [](const Listen& each) { return each.proxied; }))
        throw_permanent(
            fmt::format("control/{}: only qmail-smtpd's own listener (qmail-setup --own-listener) takes "
                        "connections of proxies: take \"proxy\" away",
                        file));
}

Plan plan_of_instance(const control::Home& home) {
    Plan plan{home, identity_of_instance(home), control::read<"me">(home), "", {}, has_own_listener(home)};
    plan.tree = std::make_shared<const Tree>(home, plan.identity);
    refuse_another_owner(plan);
    plan.listen = read_listen(home, "smtplisten");
    plan.pop3 = read_listen(home, "pop3listen");
    plan.pop3s = read_listen(home, "pop3slisten");
    plan.submission = read_listen(home, "submissionlisten");
    plan.submissions = read_listen(home, "submissionslisten");
    refuse_proxies("pop3listen", plan.pop3);
    refuse_proxies("pop3slisten", plan.pop3s);
    if (!plan.own_listener) {
        refuse_proxies("smtplisten", plan.listen);
        for (const auto& [name, listen] : submission_services(plan))
            refuse_proxies(listen_file(name).c_str(), listen);
    }
    if (plan.listen.empty()) plan.listen.push_back({"0", 25});
    return plan;
}

}  // namespace relais::setup
