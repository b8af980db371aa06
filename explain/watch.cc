#include "explain/watch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "explain/explanation.h"
#include "explain/plain.h"
#include "explain/present.h"
#include "opensmtp/address.h"

namespace relais::explain {
namespace {

constexpr std::size_t line_limit = 16384;
// Looked at that often where the kernel tells of no change.
constexpr Seconds look_again{1};
constexpr std::chrono::milliseconds longest_search{300};
// TAI64 counts from here, and is ten seconds ahead of multilog's clock.
constexpr std::uint64_t tai64_epoch = 4611686018427387904U + 10;

std::int64_t time_of(std::string_view stamp) {
    std::uint64_t seconds = 0;
    const auto result = std::from_chars(stamp.data(), stamp.data() + stamp.size(), seconds, 16);
    if (result.ec != std::errc() || result.ptr != stamp.data() + stamp.size() || seconds < tai64_epoch)
        return 0;
    return static_cast<std::int64_t>(seconds - tai64_epoch);
}

std::string time_text(std::int64_t time) {
    if (time == 0) return "";
    const std::time_t seconds = time;
    std::tm parts{};
    if (::localtime_r(&seconds, &parts) == nullptr) return "";
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S ", &parts));
}

// Takes what stands before the mark off the text; nothing, and the text as it was, if there is no mark.
std::optional<std::string> take(std::string_view& text, std::string_view mark) {
    const std::size_t end = text.find(mark);
    if (end == std::string_view::npos) return std::nullopt;
    std::string taken(text.substr(0, end));
    text.remove_prefix(end + mark.size());
    return taken;
}

// "<a@b>" or "-".
std::optional<std::string> address_of(const std::string& path) {
    if (path.size() < 2 || path.front() != '<' || path.back() != '>') return std::nullopt;
    return plain(std::string_view(path).substr(1, path.size() - 2));
}

std::string file_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw_errno("look at", path);
    return S_ISDIR(info.st_mode) ? path + "/current" : path;
}

// A file that grows, and the one that takes its name.
class Follower {
  public:
    explicit Follower(std::string path)
        : path_(std::move(path)), changes_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        if (changes_)
            ::inotify_add_watch(changes_.get(), directory_of(path_).c_str(),
                                IN_MODIFY | IN_CREATE | IN_MOVED_TO);
        take(open(path_));
        if (file_) ::lseek(file_.get(), 0, SEEK_END);
    }

    void run(const std::function<void(std::string_view line)>& line) {
        for (;;) {
            while (read(line)) {
            }
            if (replaced()) {
                while (read(line)) {
                }
                // Opened first: what is put away from now on comes after it.
                Fd next = open(path_);
                for (const std::string& path : rotated_between(next)) {
                    take(open(path));
                    while (read(line)) {
                    }
                }
                take(std::move(next));
            } else {
                wait();
            }
        }
    }

  private:
    static Fd open(const std::string& path) {
        Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
        if (!file && errno != ENOENT) throw_errno("open", path);
        return file;
    }

    void take(Fd file) {
        rest_.clear();
        file_ = std::move(file);
    }

    static bool is_open_as(const Fd& file, const std::string& path) {
        struct stat named {};
        struct stat opened {};
        return file && ::fstat(file.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
               named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
    }

    // Under load multilog may have put away more than one file since the last look: those between ours and
    // the next, the oldest first. Nothing where ours has gone too, or is no multilog's.
    std::vector<std::string> rotated_between(const Fd& next) const {
        std::vector<std::string> paths;
        std::error_code error;
        for (std::filesystem::directory_iterator entry(directory_of(path_), error), end;
             !error && entry != end; entry.increment(error))
            if (entry->path().filename().native().starts_with('@')) paths.push_back(entry->path());
        std::sort(paths.begin(), paths.end());
        const auto ours = std::find_if(paths.begin(), paths.end(),
                                       [&](const std::string& path) { return is_open_as(file_, path); });
        if (ours == paths.end()) return {};
        const auto end = std::find_if(ours + 1, paths.end(),
                                      [&](const std::string& path) { return is_open_as(next, path); });
        return {ours + 1, end};
    }

    // False when there is nothing more for now.
    bool read(const std::function<void(std::string_view line)>& line) {
        if (!file_) return false;
        const ssize_t count = ::read(file_.get(), buffer_, sizeof buffer_);
        if (count < 0) throw_errno("read", path_);
        rest_.append(buffer_, static_cast<std::size_t>(count));
        std::size_t begin = 0;
        for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
            line(std::string_view(rest_).substr(begin, end - begin));
            begin = end + 1;
        }
        rest_.erase(0, begin);
        if (rest_.size() > line_limit) rest_.clear();
        return count > 0;
    }

    bool replaced() {
        struct stat named {};
        struct stat ours {};
        if (::stat(path_.c_str(), &named) != 0) return false;
        if (!file_ || ::fstat(file_.get(), &ours) != 0) return true;
        // Cut in place: begin anew.
        return named.st_ino != ours.st_ino || named.st_dev != ours.st_dev ||
               ours.st_size < ::lseek(file_.get(), 0, SEEK_CUR);
    }

    void wait() {
        if (!changes_) {
            ::sleep(1);
            return;
        }
        if (wait_readable(changes_.get(), Deadline::in(look_again)))
            while (::read(changes_.get(), buffer_, sizeof buffer_) > 0) {
            }
    }

    std::string path_;
    Fd changes_;
    Fd file_;
    std::string rest_;
    char buffer_[io_buffer_size];
};

}  // namespace

std::optional<LoggedRefusal> parse_refusal(std::string_view line) {
    LoggedRefusal refusal;
    if (line.starts_with('@') && line.size() > 25) refusal.time = time_of(line.substr(1, 16));
    const std::size_t start = line.find("refuse from ");
    // Only a stamp and the program's name may stand before it.
    if (start == std::string_view::npos || line.substr(0, start).find(" from ") != std::string_view::npos)
        return std::nullopt;
    line.remove_prefix(start + std::string_view("refuse from ").size());
    const auto ip = take(line, " helo ");
    const auto helo = take(line, " sender ");
    const auto sender = take(line, " rcpt ");
    const auto recipient = take(line, " reason ");
    if (!ip || !helo || !sender || !recipient) return std::nullopt;
    refusal.ip = plain(*ip);
    refusal.helo = *helo == "-" ? "" : plain(*helo);
    refusal.sender = address_of(*sender);
    refusal.recipient = address_of(*recipient);
    refusal.reason = plain(line);
    return refusal;
}

// " | note: ... | to do: ...", or that it would be allowed now.
std::string Watch::what_is_behind(const LoggedRefusal& refusal, const std::string& ip) {
    Question question;
    question.ip = ip;
    question.helo = refusal.helo;
    question.sender = refusal.sender.value_or("");
    if (refusal.recipient && !refusal.recipient->empty()) question.recipients = {*refusal.recipient};
    const auto start = Clock::now();
    const bool searches = start >= next_search_;
    question.login_search = searches ? longest_search : std::chrono::milliseconds(0);
    const Explanation explanation = explain::explain(home_, question);
    if (searches) next_search_ = start + 10 * (Clock::now() - start);
    if (explanation.all_accepted()) return " | now: " + headline(explanation, explanation.outcomes.front());
    std::string text;
    if (!explanation.close_calls.empty()) text += " | note: " + plain(explanation.close_calls.front());
    if (!explanation.remedies.empty()) text += " | to do: " + plain(explanation.remedies.front());
    return text;
}

std::string Watch::explain(const LoggedRefusal& refusal) {
    std::string text = time_text(refusal.time) + plain(refusal.ip);
    if (refusal.sender) text += " from <" + plain(*refusal.sender) + ">";
    if (refusal.recipient) text += " to <" + plain(*refusal.recipient) + ">";
    text += ": " + refusal.reason;
    const auto ip = opensmtp::canonical_client(refusal.ip);
    // Only where a recipient was refused, or the client itself, is there something to explain.
    const bool denied = !refusal.sender && refusal.reason.starts_with("554 ");
    if (!ip || (!denied && !refusal.recipient)) return text + "\n";
    try {
        return text + what_is_behind(refusal, *ip) + "\n";
    } catch (const Error& error) {
        // A file that is being changed, say: the next refusal may find it whole.
        return text + " | " + plain(error.what()) + "\n";
    }
}

void follow(const std::string& path, const std::function<void(std::string_view line)>& line) {
    if (path != "-") return Follower(file_of(path)).run(line);
    Reader reader(STDIN_FILENO);
    for (std::string text;;) {
        const Reader::Line kind = reader.read_line(text, line_limit, Deadline::never());
        if (kind != Reader::Line::too_long && !text.empty()) line(text);
        if (kind == Reader::Line::ended) return;
    }
}

}  // namespace relais::explain
