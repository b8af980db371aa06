#include "queue/importer.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/held_directory.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/text.h"
#include "queue/store.h"

namespace relais::queue {
namespace {

constexpr std::string_view prefix = "import.";
// So much shares a sync.
constexpr std::size_t batch_messages = 1000;
constexpr std::uint64_t batch_octets = std::uint64_t{64} << 20;
// Of the ledger: ten million messages.
constexpr std::size_t ledger_limit = std::size_t{1} << 30;

std::string ledger_path(const control::Home& home) {
    return home.path("queue/imported");
}

struct LedgerLine {
    std::string key;
    MessageId id = 0;
};

// "KEY ID"; nothing for a last line that a crash has cut.
std::optional<LedgerLine> parse_line(std::string_view line) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto id = parse_number(line.substr(space + 1));
    if (!id) return std::nullopt;
    return LedgerLine{std::string(line.substr(0, space)), *id};
}

std::vector<LedgerLine> ledger_lines(const control::Home& home) {
    std::vector<LedgerLine> all;
    const auto text = read_file(ledger_path(home), ledger_limit);
    if (!text) return all;
    for (std::size_t at = 0, end = 0; (end = text->find('\n', at)) != std::string::npos; at = end + 1)
        if (auto line = parse_line(std::string_view(*text).substr(at, end - at)))
            all.push_back(*std::move(line));
    return all;
}

std::uint64_t now_in_microseconds() {
    using namespace std::chrono;
    return static_cast<std::uint64_t>(
        duration_cast<microseconds>(system_clock::now().time_since_epoch()).count());
}

void sync_file_system(int fd, const std::string& path) {
    if (sys::syncfs(fd) != 0) throw_errno("sync", path);
}

Fd create(const std::string& path) {
    Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660));
    if (!fd) throw_errno("create", path);
    if (sys::fchmod(fd.get(), 0660) != 0) throw_errno("chmod", path);
    return fd;
}

void remove_if_there(const std::string& path) {
    if (sys::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
}

// A lock that is missing is held by nobody.
Fd lock(Fd fd, const std::string& path, std::string_view who) {
    if (!fd && errno == ENOENT) return fd;
    if (!fd) throw_errno("open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) throw_errno("lock", path);
    throw Error(Reaction::permanent,
                std::string(who) + " of the new instance runs: stop it first (qmailctl stop)", EWOULDBLOCK);
}

}  // namespace

std::unordered_set<std::string> read_ledger(const control::Home& home) {
    std::unordered_set<std::string> keys;
    for (LedgerLine& line : ledger_lines(home)) keys.insert(std::move(line.key));
    return keys;
}

QueueLocks lock_queue(const control::Home& home) {
    QueueLocks locks;
    locks.send = lock(open_send_lock(home), send_lock_path(home), "qmail-send");
    const HeldDirectory queue(home.path("queue"));
    locks.queued = lock(queue.try_open("lock/queued", O_RDWR | O_NOFOLLOW | O_NONBLOCK),
                        queued_lock_path(home), "qmail-queued");
    return locks;
}

Importer::Importer(const control::Home& home) : home_(home) {
    const std::string path = ledger_path(home), mess = home.path("queue/mess");
    directory_ = Fd(sys::open(mess.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_) throw_errno("open", mess);
    end_what_was_begun();
    ledger_file_ = Fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0660));
    if (!ledger_file_) throw_errno("open", path);
    // Behind a line that a crash has cut.
    const auto text = read_file(path, ledger_limit);
    if (text && !text->empty() && text->back() != '\n')
        write_all(ledger_file_.get(), "\n", Deadline::never());
}

Importer::~Importer() {
    for (const Written& message : written_) {
        ::unlink(beside(message.id).c_str());
        ::unlink(bounce_path(home_, message.id).c_str());
    }
}

std::string Importer::directory(MessageId id) const {
    return message_directory(home_, id % split_count);
}

std::string Importer::beside(MessageId id) const {
    return directory(id) + "/" + std::string(prefix) + std::to_string(id);
}

// What the ledger has is whole: it gets its name. The rest was never announced, and comes again.
void Importer::end_what_was_begun() {
    std::unordered_set<MessageId> announced;
    for (LedgerLine& line : ledger_lines(home_)) {
        announced.insert(line.id);
        ledger_.insert(std::move(line.key));
    }
    bool any = false;
    for (std::size_t split = 0; split < split_count; ++split)
        for (const auto& entry : std::filesystem::directory_iterator(message_directory(home_, split))) {
            const std::string name = entry.path().filename();
            if (const auto id = parse_message_name(name)) ids_.insert(*id);
            if (!name.starts_with(prefix)) continue;
            const auto id = parse_number(std::string_view(name).substr(prefix.size()));
            if (!id) continue;
            any = true;
            if (announced.contains(*id)) {
                move_durably(entry.path(), message_path(home_, *id));
                ids_.insert(*id);
            } else {
                remove_if_there(entry.path());
                remove_if_there(bounce_path(home_, *id));
            }
        }
    if (any) sync_file_system(directory_.get(), home_.path("queue"));
}

MessageId Importer::free_id(std::uint64_t birth) {
    // 0 is no message's name: nobody would ever look at it.
    const MessageId now = now_in_microseconds(), wanted = birth == 0 ? now : std::min(birth, now);
    // A queue that was copied without its times has one for all.
    MessageId& next = next_ids_.try_emplace(wanted, wanted).first->second;
    while (ids_.contains(next)) ++next;
    return next++;
}

void Importer::add(const ImportedMessage& message) {
    if (has(message.key)) throw Error(Reaction::bug, "message " + message.key + " was imported before");
    const MessageId id = free_id(message.birth);
    const std::string path = beside(id);
    const Fd file = create(path);
    ids_.insert(id);
    written_.push_back({message.key, id});
    Checksum sum;
    std::uint64_t size = 0;
    std::array<char, io_buffer_size> piece;
    const auto take = [&](std::string_view octets) {
        sum.update(octets);
        write_all(file.get(), octets, Deadline::never());
        size += octets.size();
    };
    if (message.body == -1)
        take(message.text);
    else
        while (const std::size_t count = read_some(message.body, piece, Deadline::never()))
            take({piece.data(), count});
    // Somebody else's administrator held it: no decision of ours, which control/holddays would end.
    Envelope envelope = message.envelope;
    Status status;
    status.hold = status.by_hand = std::exchange(envelope.options.hold, false);
    const unsigned version = version_of(envelope);
    std::string end = encode_envelope(envelope);
    const std::uint64_t envelope_size = end.size();
    const auto stored = decode_envelope(end, size, version);
    if (!stored)
        throw Error(Reaction::bug, "the envelope of message " + message.key + " cannot be read back");
    end += encode_status(status);
    end += encode_footer({size, envelope_size, checksum_unmarked(sum, *stored), version});
    write_all(file.get(), end, Deadline::never());
    if (!message.bounce.empty()) {
        const std::string text = bounce_path(home_, id);
        remove_if_there(text);
        write_all(create(text).get(), message.bounce, Deadline::never());
    }
    octets_ += size + end.size();
    if (written_.size() >= batch_messages || octets_ >= batch_octets) commit();
}

void Importer::append_to_ledger() {
    std::string lines;
    for (const Written& message : written_) lines += message.key + " " + std::to_string(message.id) + "\n";
    write_all(ledger_file_.get(), lines, Deadline::never());
    if (sys::fsync(ledger_file_.get()) != 0) throw_errno("sync", ledger_path(home_));
}

void Importer::commit() {
    if (written_.empty()) return;
    sync_file_system(directory_.get(), home_.path("queue"));
    append_to_ledger();
    const std::vector<Written> all = std::exchange(written_, {});
    octets_ = 0;
    for (const Written& message : all) {
        const std::string from = beside(message.id), to = message_path(home_, message.id);
        if (sys::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename to", to);
        ledger_.insert(message.key);
    }
    sync_file_system(directory_.get(), home_.path("queue"));
}

}  // namespace relais::queue
