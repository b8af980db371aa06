#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "opensmtp/tool.h"
#include "opensmtp/vpopmail.h"

namespace relais::opensmtp {
namespace {

constexpr std::size_t file_limit = std::size_t{1} << 30;
// So many are asked at once, and so many are dropped between two reports.
constexpr std::size_t batch = 200;
constexpr std::uint64_t report_every = 5000;

class Import {
  public:
    Import(const control::Home& home, std::uint64_t all, const Progress& progress)
        : client_(connect_to_server(home)),
          lifetime_(OpenSmtpSettings::read(home).lifetime),
          now_(Moment::now().wall),
          all_(all),
          progress_(progress) {}

    void take(const std::optional<VpopmailLine>& line) {
        ++done_;
        if (!line)
            ++count_.wrong;
        else if (line->wall > now_)
            ++count_.future;
        else if (now_ - line->wall >= lifetime_)
            ++count_.expired;
        else
            waiting_.push_back({Verb::import, line->address, "", "import", line->wall});
        if (waiting_.size() >= batch) send();
        if (done_ % report_every == 0) progress_(done_, all_);
    }

    ImportCount finish() {
        send();
        // Blank lines and comments were not taken.
        progress_(all_, all_);
        return count_;
    }

  private:
    void send() {
        if (waiting_.empty()) return;
        for (const Answer& answer : client_.ask(waiting_, Deadline::in(Seconds(60)))) {
            if (!answer.ok)
                throw Error(Reaction::temporary,
                            fmt::format("import stopped after {} of {}: {}", done_, all_, answer.text));
            ++(answer.text == "imported"   ? count_.imported
               : answer.text == "excluded" ? count_.excluded
               : answer.text == "expired"  ? count_.expired
                                           : count_.newer);
        }
        waiting_.clear();
    }

    OpenSmtpClient client_;
    std::int64_t lifetime_;
    std::int64_t now_;
    std::uint64_t all_;
    const Progress& progress_;
    std::uint64_t done_ = 0;
    ImportCount count_;
    std::vector<Request> waiting_;
};

ImportCount import_file(const control::Home& home, const std::string& path, const Progress& progress) {
    const auto content = read_file(path, file_limit);
    if (!content) throw_errno("open", path, ENOENT);
    const auto lines = split(*content, '\n');
    Import import(home, lines.size(), progress);
    for (const std::string_view line : lines)
        if (!trim(line).empty() && !trim(line).starts_with('#')) import.take(parse_vpopmail_line(line));
    return import.finish();
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<std::string> names_in(const std::string& path) {
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
    if (!directory) throw_errno("open", path);
    std::vector<std::string> names;
    while (const dirent* item = ::readdir(directory.get()))
        if (item->d_name[0] != '.') names.emplace_back(item->d_name);
    return names;
}

ImportCount import_directory(const control::Home& home, const std::string& path, const Progress& progress) {
    const auto names = names_in(path);
    Import import(home, names.size(), progress);
    for (const std::string& name : names) {
        struct stat info {};
        const auto address = canonical_client(name);
        if (address && ::lstat((path + "/" + name).c_str(), &info) == 0 && S_ISREG(info.st_mode))
            import.take(VpopmailLine{*address, info.st_mtim.tv_sec});
        else
            import.take(std::nullopt);
    }
    return import.finish();
}

}  // namespace

std::string ImportCount::text() const {
    return fmt::format(
        "{} imported, {} too old, {} from the future, {} excluded, {} with a newer login here, {} not "
        "understood",
        imported, expired, future, excluded, newer, wrong);
}

ImportCount import_path(const control::Home& home, const std::string& path, const Progress& progress) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw_errno("look at", path);
    return S_ISDIR(info.st_mode) ? import_directory(home, path, progress) : import_file(home, path, progress);
}

}  // namespace relais::opensmtp
