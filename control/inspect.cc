#include "control/inspect.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/cdb.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "control/amount.h"
#include "control/check_modes.h"
#include "control/control_file.h"
#include "control/database_findings.h"
#include "control/line_faults.h"
#include "control/owners.h"
#include "control/secret_file.h"

namespace relais::control {
namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20;

class Inspector {
  public:
    explicit Inspector(const Home& home) : home_(home) {}

    Inspection run() {
        for (const ControlFile& row : control_files()) show(row);
        check_directory();
        check_me();
        check_owners();
        check_rcpthosts();
        check_locals();
        for (Finding& finding : database_findings(home_)) result_.findings.push_back(std::move(finding));
        check_dane();
        check_srs();
        return std::move(result_);
    }

  private:
    void warn(std::string_view name, std::string text) {
        add("control/" + std::string(name), true, std::move(text));
    }
    void note(std::string_view name, std::string text) {
        add("control/" + std::string(name), false, std::move(text));
    }
    void add(std::string file, bool warning, std::string text) {
        result_.findings.push_back({std::move(file), warning, std::move(text)});
    }
    const ShownFile& shown(std::string_view name) const {
        return *std::find_if(result_.files.begin(), result_.files.end(),
                             [&](const ShownFile& file) { return file.row->name == name; });
    }

    void show(const ControlFile& row);
    std::vector<std::string> fallback_lines(const ControlFile& row) const;
    void check_content(const ControlFile& row, std::string_view content,
                       const std::vector<std::string>& lines);
    void check_number(const ControlFile& row, const std::string& text);
    bool check_passwords(const ControlFile& row, const Owners& owners);
    void check_mode(const ControlFile& row);
    void check_directory();
    void check_name(const std::string& name);
    void check_me();
    void check_owners();
    void check_rcpthosts();
    void check_locals();
    void check_dane();
    void check_srs();
    bool accepted(const std::string& domain) const;

    const Home& home_;
    Inspection result_;
};

std::vector<std::string> Inspector::fallback_lines(const ControlFile& row) const {
    if (row.me_default) {
        const auto me = read_line(home_, "me");
        return me ? std::vector<std::string>{*me} : std::vector<std::string>{};
    }
    return row.fallback.empty() ? std::vector<std::string>{}
                                : std::vector<std::string>{std::string(row.fallback)};
}

void Inspector::show(const ControlFile& row) {
    ShownFile file{&row, false, {}};
    try {
        const auto content = row.kind == FileKind::database || row.kind == FileKind::pem
                                 ? std::optional<std::string>()
                                 : read_file(home_.control_file(row.name), size_limit);
        file.from_file = content.has_value() || ::access(home_.control_file(row.name).c_str(), F_OK) == 0;
        if (!content) {
            file.lines = fallback_lines(row);
        } else if (row.kind == FileKind::line || row.kind == FileKind::number) {
            file.lines = {read_line(home_, row.name).value_or("")};
            if (file.lines.front().empty() && row.empty_is_missing) file.lines = fallback_lines(row);
        } else {
            file.lines = read_lines(home_, row.name).value_or(std::vector<std::string>{});
        }
        // From here on nobody sees a password.
        if (may_hold_passwords(row.name))
            for (std::string& text : file.lines) text = without_password(text);
        if (row.name == "srs_secrets")
            for (std::string& text : file.lines) text = "...";
        if (content) check_content(row, *content, file.lines);
        if (content && later_check_of(row.name) != nullptr && !read_lines(home_, "checks"))
            warn(row.name,
                 "it does not count: control/checks is missing, as in instances that are older than its "
                 "check (qmail-checks(5)); an empty one will do");
        if (file.from_file) check_mode(row);
    } catch (const Error& error) {
        file.from_file = true;
        warn(row.name, error.what());
    }
    result_.files.push_back(std::move(file));
}

void Inspector::check_content(const ControlFile& row, std::string_view content,
                              const std::vector<std::string>& lines) {
    if (content.find('\r') != std::string_view::npos)
        warn(row.name, "it has CR LF line ends; qmail's files end lines with LF");
    if (content.find('\0') != std::string_view::npos) warn(row.name, "it has NUL octets");
    if (row.kind == FileKind::line || row.kind == FileKind::number) {
        if (trim(content.substr(std::min(content.find('\n'), content.size()))).size() > 0)
            note(row.name, "only its first line counts");
        if (lines.front().empty() && row.kind == FileKind::line && row.name != "me" && !row.empty_is_missing)
            warn(row.name,
                 "its first line is empty, and so is the value: remove the file to have the default");
        if (row.kind == FileKind::number) check_number(row, lines.front());
        if (!row.words.empty())
            for (std::string& fault : word_faults(row, lines.front())) warn(row.name, std::move(fault));
        if (!lines.front().empty())
            for (std::string& fault : line_faults(row, lines.front())) warn(row.name, std::move(fault));
    } else {
        for (const std::string& line : lines)
            for (std::string& fault : line_faults(row, line)) warn(row.name, std::move(fault));
    }
}

void Inspector::check_number(const ControlFile& row, const std::string& text) {
    const auto value = parse_whole_amount(text);
    const std::uint64_t read = read_number(home_, row.name, parse_number(row.fallback).value_or(0));
    const std::string used = ": " + std::to_string(std::clamp(read, row.least, row.most)) + " is used";
    if (!value) {
        warn(row.name, quoted(text) + " is no number" + used);
    } else if (*value < row.least) {
        warn(row.name, "less than " + std::to_string(row.least) + " makes no sense" + used);
    } else if (*value > row.most) {
        warn(row.name, "more than " + std::to_string(row.most) + " makes no sense" + used);
    } else if (*value == 0 && (row.name == "concurrencylocal" || row.name == "concurrencyremote")) {
        warn(row.name, "0 stops these deliveries");
    } else if (row.name == "opensmtpprefix6" && *value != 64 && *value != 128) {
        warn(row.name, "it is neither 64 nor 128: a login opens one address");
    }
}

// True if the file holds passwords: then it must be closed, not open.
bool Inspector::check_passwords(const ControlFile& row, const Owners& owners) {
    const auto secret = SecretLines::read_unchecked(home_, row.name);
    if (!secret || std::none_of(secret->lines().begin(), secret->lines().end(), has_password)) return false;
    if (const auto wrong = secret->exposure(owners.of(Role::qmailr).uid)) warn(row.name, *wrong);
    return true;
}

// root reads everything; the programs are other users. (An instance of one user has no such difference.)
void Inspector::check_mode(const ControlFile& row) {
    struct stat info {};
    if (row.kind == FileKind::pem || ::stat(home_.control_file(row.name).c_str(), &info) != 0) return;
    try {
        const Owners owners = Owners::read(home_);
        if (may_hold_passwords(row.name) && check_passwords(row, owners)) return;
        if (row.name == "srs_secrets") {
            const bool closed = (info.st_mode & 0077) == 0 &&
                                (info.st_uid == 0 || info.st_uid == owners.of(Role::qmailp).uid);
            if (!owners.single() && !closed)
                warn(row.name,
                     "others than qmailp may read it, and make addresses that mail is sent on by (chown "
                     "qmailp; chmod 400)");
            return;
        }
        if ((info.st_mode & S_IROTH) != 0 || owners.single()) return;
    } catch (const Error&) {
        return;  // check_owners tells
    }
    warn(row.name, "not everybody may read it, and so perhaps not the program that needs it (chmod 644)");
}

void Inspector::check_directory() {
    const std::string path = home_.path("control");
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) throw_errno("open", path);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory.get())) names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
        if (name != "." && name != "..") check_name(name);
}

void Inspector::check_name(const std::string& name) {
    if (find_control_file(name) != nullptr || name == "servercerts" || name == "dkim") return;
    for (const std::string& line : shown("tlsdestinations").lines)
        if (line.find("ca=" + name) != std::string::npos) return;
    if (is_foreign_name(name)) {
        note(name, "nothing here reads it (qmail, or a patch of it, does)");
    } else if (const ControlFile* near = nearest_control_file(name)) {
        warn(name, "nothing reads it: is " + std::string(near->name) + " meant?");
    } else {
        note(name, "nothing reads it");
    }
}

void Inspector::check_me() {
    const ShownFile& me = shown("me");
    if (!me.from_file || me.lines.empty() || me.lines.front().empty())
        warn("me", "it must hold this host's name: almost nothing works without it");
    else if (!is_domain(me.lines.front()))
        warn("me", quoted(me.lines.front()) + " is no host name");
    else if (me.lines.front().find('.') == std::string::npos)
        note("me", "the name has no dot: other servers may not take mail from it");
}

void Inspector::check_owners() {
    try {
        Owners::read(home_);
    } catch (const Error& error) {
        warn("owners", error.what());
    }
}

// By rcpthosts, or the database beside it; a damaged one is told by database_findings.
bool Inspector::accepted(const std::string& domain) const {
    if (DomainSet(shown("rcpthosts").lines).contains(domain)) return true;
    try {
        const CdbReader more(home_.control_file("morercpthosts.cdb"));
        const std::string name = lower(domain);
        if (more.find(name)) return true;
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
            if (more.find(name.substr(dot))) return true;
    } catch (const Error&) {
    }
    return false;
}

void Inspector::check_rcpthosts() {
    const ShownFile& rcpthosts = shown("rcpthosts");
    if (!rcpthosts.lines.empty()) return;
    const bool more = shown("morercpthosts.cdb").from_file;
    const std::string what = rcpthosts.from_file ? "it is empty: " : "it is missing: ";
    if (more)
        note("rcpthosts", what + "only the domains of morercpthosts.cdb are accepted");
    else
        warn("rcpthosts",
             what + "no domain is accepted from the network (in qmail a missing one accepts all)");
}

void Inspector::check_locals() {
    const auto& locals = shown("locals");
    const DomainSet local(locals.lines);
    const bool any_accepted = !shown("rcpthosts").lines.empty() || shown("morercpthosts.cdb").from_file;
    for (const std::string& domain : locals.lines)
        if (any_accepted && !equal_ignoring_case(domain, "localhost") && !domain.empty() && !accepted(domain))
            warn(locals.from_file ? "locals" : "me",
                 domain + " is local but not in rcpthosts: the network cannot send mail to it");
    for (const std::string& line : shown("virtualdomains").lines) {
        const std::size_t colon = line.find(':');
        const std::string domain = line.substr(0, colon);
        if (colon == std::string::npos || domain.empty() || domain.front() == '.' ||
            domain.find('@') != std::string::npos || colon + 1 == line.size())
            continue;
        if (local.match(domain) == lower(domain))
            warn("virtualdomains", domain + " is in locals too, which wins");
        else if (any_accepted && !accepted(domain))
            warn("virtualdomains", domain + " is not in rcpthosts: the network cannot send mail to it");
    }
}

void Inspector::check_dane() {
    const ShownFile& dane = shown("dane");
    if (!dane.lines.empty() && dane.lines.front() != "0" && !shown("dnsanchors").from_file)
        note("dane",
             "nothing is validated without control/dnsanchors, so no server is held to TLSA records: "
             "apt-get install dns-root-data; ln -s /usr/share/dns/root.key " +
                 home_.control_file("dnsanchors"));
}

// Where a rewritten sender leads nowhere its bounces are lost.
void Inspector::check_srs() {
    const ShownFile& domain = shown("srs_domain");
    if (domain.lines.empty() || domain.lines.front().empty()) return;
    const std::string& name = domain.lines.front();
    if (shown("srs_secrets").lines.empty())
        warn("srs_domain", "no sender is rewritten without control/srs_secrets");
    const auto& locals = shown("locals").lines;
    if (std::none_of(locals.begin(), locals.end(),
                     [&](const std::string& each) { return equal_ignoring_case(each, name); }))
        warn("srs_domain", name + " is not in control/locals: bounces to rewritten senders find nobody");
    else if (!accepted(name))
        warn("srs_domain", name + " is not in control/rcpthosts: bounces to rewritten senders are refused");
}

}  // namespace

Inspection inspect(const Home& home) {
    return Inspector(home).run();
}

}  // namespace relais::control
