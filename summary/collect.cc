#include "summary/collect.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "auth/users_directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/text.h"
#include "control/cages.h"
#include "explain/run_as.h"
#include "tls/openssl.h"
#include "trace/store.h"

namespace relais::summary {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t state_limit = std::size_t{1} << 20;
constexpr std::size_t certificate_limit = std::size_t{1} << 20;
constexpr std::size_t most_certificates = 200;
// What a summary costs a large server at most.
constexpr Seconds reading_time{120};
constexpr std::uint64_t a_second = 1'000'000;
constexpr std::uint64_t a_day = 86'400 * a_second;
constexpr std::uint64_t past_days = 14;
constexpr mode_t state_mode = 0600;

std::string state_path(const control::Home& home) {
    return home.path("users/summary");
}

struct OpenFile {
    std::string name;
    Fd fd;
};

std::vector<OpenFile> open_certificates(const control::Home& home) {
    std::vector<std::string> names = {"servercert.pem"};
    std::error_code trouble;
    for (const fs::directory_entry& entry : fs::directory_iterator(home.path("control/servercerts"), trouble))
        if (entry.path().extension() == ".pem")
            names.push_back("servercerts/" + entry.path().filename().string());
    std::sort(names.begin() + 1, names.end());
    if (names.size() > most_certificates) names.resize(most_certificates);
    std::vector<OpenFile> files;
    for (std::string& name : names) {
        Fd fd(::open(home.control_file(name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        struct stat info {};
        if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))) fd.reset();
        if (fd || errno != ENOENT) files.push_back({std::move(name), std::move(fd)});
    }
    return files;
}

// When the first certificate of the file ends. It may hold keys before and behind it.
std::optional<std::uint64_t> end_of(const OpenFile& file) {
    if (!file.fd) return std::nullopt;
    const std::string content = read_to_end(file.fd.get(), certificate_limit, Deadline::in(Seconds(10)));
    const std::unique_ptr<BIO, tls::Release<BIO_free>> memory(
        BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
    const tls::X509Ptr certificate(memory ? PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)
                                          : nullptr);
    struct tm parts {};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) != 1)
        return std::nullopt;
    const auto seconds = ::timegm(&parts);
    return seconds < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(seconds));
}

std::string numbers(const control::Home& home) {
    control::enter(control::metrics_cage, home);
    const metrics::Pages pages = metrics::read_pages(home);
    return (pages.empty() ? "" : "counted\n") + encode(numbers_of(pages));
}

std::string certificates(const control::Home& home, const std::vector<OpenFile>& files) {
    control::enter(control::metrics_cage, home);
    std::string text;
    for (const OpenFile& file : files)
        if (const auto ends = end_of(file))
            text += "certificate " + std::to_string(*ends) + " " + safe_for_log(file.name) + "\n";
        else
            text += "unread " + safe_for_log(file.name) + "\n";
    return text;
}

// From the newest file on, so that the period itself is whole when time is short.
Remembered remember(const control::Home& home, const Facts& facts) {
    Remembered all;
    all.kept = true;
    const Deadline deadline = Deadline::in(reading_time);
    const std::uint64_t begin = facts.since * a_second, end = facts.now * a_second;
    const std::uint64_t oldest = begin > past_days * a_day ? begin - past_days * a_day : 0;
    std::uint64_t first = begin;
    auto files = trace::files_of(home.path("trace"), 'm');
    std::reverse(files.begin(), files.end());
    for (const std::string& path : files) {
        try {
            trace::Database(path, trace::Database::Mode::read).each(oldest, end, [&](const auto& record) {
                const std::uint64_t id = record.number("msg");
                (id >= begin ? all.now : all.past).add(record);
                first = std::min(first, id);
                all.cut = all.cut || deadline.passed();
                return !all.cut;
            });
        } catch (const Error& error) {
            log_line("warning: left out: " + path + ": " + error.what());
        }
        if (all.cut) break;
    }
    all.past_days = static_cast<double>(begin - first) / static_cast<double>(a_day);
    return all;
}

}  // namespace

Counted look_at_numbers(const control::Home& home, const control::Owners& owners) {
    tls::initialise();
    const control::Owner reader = owners.of(control::Role::qmailm);
    std::string text = explain::run_as(reader.uid, reader.gid, [&] { return numbers(home); });
    // The files may hold keys: who has read what roles write does not see them.
    const std::vector<OpenFile> files = open_certificates(home);
    text += explain::run_as(reader.uid, reader.gid, [&] { return certificates(home, files); });
    Counted counted;
    for (const std::string_view line : split(text, '\n')) {
        if (line == "counted") counted.counted = true;
        if (take_number(line, "count", counted.numbers)) continue;
        if (auto certificate = parse_certificate(line);
            certificate && counted.certificates.size() < most_certificates)
            counted.certificates.push_back(*std::move(certificate));
    }
    return counted;
}

std::string say(const control::Home& home, const control::Owners& owners, const Facts& facts) {
    constexpr std::size_t text_limit = std::size_t{64} << 10;
    if (!trace::Limits::read(home)) return words_of_summary(facts, {});
    const control::Owner reader = owners.of(control::Role::qmailt);
    std::string text = explain::run_as(reader.uid, reader.gid, [&] {
        control::enter(control::look_trace_cage, home);
        return words_of_summary(facts, remember(home, facts));
    });
    if (text.size() > text_limit) text.resize(text_limit);
    // Whoever has taken it over writes to a terminal too.
    std::string lines;
    for (const std::string_view line : split(text, '\n')) lines += printable(line) + '\n';
    lines.pop_back();
    return lines;
}

std::optional<State> read_state(const control::Home& home) {
    const auto text = read_file(state_path(home), state_limit);
    if (!text) return std::nullopt;
    auto state = parse_state(*text);
    if (!state) log_line("warning: users/summary is no state of qmail-summary: it begins anew");
    return state;
}

void write_state(const control::Home& home, const State& state) {
    replace_file(state_path(home), encode(state), state_mode,
                 [&](int fd) { auth::give_to_owner_of_users(home, fd); });
}

}  // namespace relais::summary
