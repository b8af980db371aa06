#include "queue/damaged.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/sys.h"
#include "queue/client.h"
#include "queue/describe.h"

namespace relais::queue {
namespace {

constexpr std::size_t end_looked_at = 65536;
constexpr std::chrono::hours patience{24};

Fd open_damaged(const std::string& path) {
    return Fd(sys::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

std::string read_piece(int fd, std::uint64_t at, std::uint64_t size, const std::string& path) {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, io_buffer_size)), '\0');
    const ssize_t count = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(at));
    if (count < 0) throw_errno("read", path);
    piece.resize(static_cast<std::size_t>(count));
    return piece;
}

// Calls visit with the octets from the beginning of the file. False if it ends before.
template <class Visit>
bool each_piece(int fd, std::uint64_t size, const std::string& path, const Visit& visit) {
    for (std::uint64_t at = 0; at < size;) {
        const std::string piece = read_piece(fd, at, size - at, path);
        if (piece.empty()) return false;
        visit(piece);
        at += piece.size();
    }
    return true;
}

// Finds envelope and message by the sizes that stand in the footer, wherever in the file's end that is.
void find_parts(int fd, DamagedFile& file) {
    const std::uint64_t first = file.size - std::min<std::uint64_t>(file.size, end_looked_at);
    const std::string end = read_piece(fd, first, file.size - first, file.path);
    const auto at = find_footer(end);
    const auto footer = at ? read_footer_loosely(std::string_view(end).substr(*at)) : std::nullopt;
    if (!footer || footer->envelope_size > file.size || footer->message_size > file.size ||
        footer->message_size + footer->envelope_size + status_size != first + *at)
        return;
    std::string envelope;
    for (std::uint64_t have = 0; have < footer->envelope_size; have = envelope.size()) {
        const std::string piece =
            read_piece(fd, footer->message_size + have, footer->envelope_size - have, file.path);
        if (piece.empty()) return;
        envelope += piece;
    }
    file.envelope = decode_envelope(std::move(envelope), footer->message_size, footer->version);
    if (!file.envelope) return;
    file.message_size = footer->message_size;
    Checksum body;
    if (!each_piece(fd, footer->message_size, file.path, [&](std::string_view piece) { body.update(piece); }))
        return;
    file.whole = checksum_unmarked(body, *file.envelope) == footer->checksum;
}

std::string_view state_of(const DamagedFile& file) {
    return file.whole ? "whole" : file.envelope ? "altered" : "torn";
}

std::string_view explanation(const DamagedFile& file) {
    if (file.whole) return "only what stands behind it is wrong: it can be resubmitted";
    if (file.envelope) return "sender and recipients can be read, but message or addresses were altered";
    return "its end is missing: sender and recipients are not known";
}

}  // namespace

std::vector<std::string> DamagedFile::open_recipients() const {
    std::vector<std::string> open;
    if (envelope)
        for (const Recipient& recipient : envelope->recipients)
            if (recipient.mark != Mark::done) open.push_back(recipient.address);
    return open;
}

std::vector<MessageId> damaged_ids(const control::Home& home) {
    std::vector<MessageId> ids;
    struct stat info {};
    if (::stat(damaged_directory(home).c_str(), &info) != 0 && errno == ENOENT) return ids;
    for (std::size_t split = 0; split < split_count; ++split)
        DirectoryScan(damaged_directory(home), split).next(SIZE_MAX, [&](MessageId id) {
            ids.push_back(id);
            return true;
        });
    std::sort(ids.begin(), ids.end());
    return ids;
}

std::optional<DamagedFile> examine_damaged(const control::Home& home, MessageId id) {
    DamagedFile file;
    file.id = id;
    file.path = damaged_path(home, id);
    const Fd fd = open_damaged(file.path);
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd) throw_errno("open", file.path);
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", file.path);
    if (!S_ISREG(info.st_mode)) return file;
    file.size = static_cast<std::uint64_t>(info.st_size);
    find_parts(fd.get(), file);
    return file;
}

std::string damaged_table_head() {
    return fmt::format("{:<16} {:>5} {:>9} {:<8} {}\n", "ID", "AGE", "BYTES", "STATE",
                       "SENDER -> RECIPIENTS");
}

std::string damaged_rows(const DamagedFile& file, std::int64_t now) {
    std::string who = "-";
    if (file.envelope) {
        const auto open = file.open_recipients();
        who =
            "<" + printable(file.envelope->sender) + "> -> " + (open.empty() ? "nobody" : printable(open[0]));
        if (open.size() > 1) who += fmt::format(" and {} more", open.size() - 1);
    }
    return fmt::format("{:<16} {:>5} {:>9} {:<8} {}\n    {}\n    {}\n", file.id,
                       span_text(now - static_cast<std::int64_t>(file.id / 1'000'000)), file.size,
                       state_of(file), who, file.path, explanation(file));
}

std::string damaged_json(const DamagedFile& file, std::int64_t now) {
    const auto birth = static_cast<std::int64_t>(file.id / 1'000'000);
    Json object{{"id", std::to_string(file.id)}, {"birth", birth},    {"age", now - birth},
                {"state", state_of(file)},       {"path", file.path}, {"bytes", file.size}};
    if (file.envelope) {
        object["sender"] = file.envelope->sender;
        object["recipients"] = Json::array();
        for (const std::string& recipient : file.open_recipients()) object["recipients"].push_back(recipient);
    }
    return object.line();
}

std::string resubmit_damaged(const control::Home& home, const DamagedFile& file) {
    if (!file.whole) return std::string(explanation(file));
    const std::vector<std::string> recipients = file.open_recipients();
    if (recipients.empty()) return "all its recipients have it: delete it";
    const Fd fd = open_damaged(file.path);
    if (!fd) throw_errno("open", file.path);
    Submission submission(home, Door::submit, Deadline::in(patience), false);
    mail::Envelope said{file.envelope->sender, {}, file.envelope->options};
    for (const Recipient& recipient : file.envelope->recipients)
        if (recipient.mark != Mark::done) said.recipients.push_back({recipient.address, recipient.options});
    submission.begin(said);
    if (!each_piece(fd.get(), file.message_size, file.path,
                    [&](std::string_view piece) { submission.write(piece); }))
        return "it has become shorter meanwhile";
    const SubmitAnswer answer = submission.finish(file.envelope->sender, recipients);
    if (answer.code != SubmitCode::accepted) return submit_text(answer.code, answer.text);
    remove_damaged(home, file.id);
    return "";
}

void remove_damaged(const control::Home& home, MessageId id) {
    const std::string path = damaged_path(home, id);
    if (sys::unlink(path.c_str()) != 0) throw_errno("remove", path);
    struct stat info {};
    if (::lstat(message_path(home, id).c_str(), &info) != 0) Store(home).remove_bounce(id);
}

}  // namespace relais::queue
