#include "setup/exim_queue.h"

#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "explain/plain.h"
#include "setup/exim_file.h"
#include "setup/import_messages.h"
#include "setup/process_table.h"

namespace relais::setup {
namespace {

constexpr const char* input = "input";
constexpr std::size_t header_limit = std::size_t{64} << 20;
// A message is held in memory.
constexpr std::size_t body_limit = std::size_t{1} << 30;

bool is_part(std::string_view text, std::size_t size) {
    return text.size() == size && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
           });
}

// XXXXXX-XXXXXX-XX, and since 4.97 XXXXXX-XXXXXXXXXXX-XXXX.
bool is_message_id(std::string_view id) {
    const std::size_t second = id.size() == 16 ? 6 : 11, last = id.size() == 16 ? 2 : 4;
    if (id.size() != 16 && id.size() != 23) return false;
    return is_part(id.substr(0, 6), 6) && id[6] == '-' && is_part(id.substr(7, second), second) &&
           id[7 + second] == '-' && is_part(id.substr(8 + second), last);
}

}  // namespace

void refuse_running_exim(const HeldDirectory& spool) {
    for (const Seen& process : all_processes())
        if (process.name.starts_with("exim") && works_in(process.pid, spool.path()))
            throw_permanent("Exim runs: process " + std::to_string(process.pid) + " works in " +
                            spool.path() +
                            "; stop it (systemctl stop exim4, or /etc/init.d/exim4 stop), and try again");
}

EximQueue::EximQueue(HeldDirectory spool, Fault fault, Fault note)
    : spool_(std::move(spool), std::move(fault)), note_(std::move(note)) {
    struct stat status {};
    if (!spool_.directory().look(input, status) || !S_ISDIR(status.st_mode))
        throw_permanent(spool_.directory().path_of(input) + " is missing: this is no spool of Exim");
    spool_.walk(input, 1, [&](const std::string& name, const std::string& path) { found(name, path); });
    for (const auto& [id, files] : files_) messages_.push_back(id);
}

void EximQueue::found(const std::string& name, const std::string& path) {
    if (name.starts_with("hdr.") || name.ends_with("-K")) return;  // of a process that has ended; DKIM's copy
    const std::string id = name.substr(0, name.size() < 2 ? 0 : name.size() - 2);
    const std::string kind = name.substr(id.size());
    if (!is_message_id(id) || (kind != "-H" && kind != "-D" && kind != "-J"))
        return spool_.fault(path, "its name is no message's");
    Files& files = files_[id];
    std::string& place = kind == "-H" ? files.header : kind == "-D" ? files.data : files.journal;
    if (!place.empty()) return spool_.fault(path, "the message is in " + place + " too, which is taken");
    place = path;
}

bool EximQueue::take_body(const std::string& id, const Files& files, bool wire, OldMessage& message) const {
    if (files.data.empty()) {
        spool_.fault(files.header, "its -D file is missing");
        return false;
    }
    struct stat status {};
    const Fd fd = spool_.open_file(files.data, status);
    if (!fd) return false;
    struct flock range {};
    range.l_type = F_RDLCK;
    if (::fcntl(fd.get(), F_GETLK, &range) == 0 && range.l_type != F_UNLCK) {
        spool_.fault(files.data, "an Exim delivers it at this moment: run this again when that has ended");
        return false;
    }
    const auto content = spool_.content(files.data, body_limit);
    if (!content) return false;
    const auto body = parse_exim_body(content->text, id, wire);
    if (!body) {
        spool_.fault(files.data, "it does not begin with its name");
        return false;
    }
    message.text += "\n" + *body;
    message.size = message.text.size();
    return true;
}

bool EximQueue::take_done(const Files& files, std::vector<std::string> done, OldMessage& message) const {
    if (!files.journal.empty()) {
        const auto content = spool_.content(files.journal, header_limit);
        // Who has had it must not have it again.
        if (!content) return false;
        for (std::string& address : parse_exim_journal(content->text)) done.push_back(std::move(address));
    }
    const auto left = mark_done(message.envelope, done);
    if (!left.empty() && is_open(message.envelope))
        note_(files.header,
              std::to_string(left.size()) +
                  " addresses behind aliases of its recipients have had it, and get it again, " +
                  explain::plain(left.front()) + " for one");
    return true;
}

OldMessage EximQueue::read(std::size_t index) const {
    OldMessage message;
    const std::string& id = messages_.at(index);
    const Files& files = files_.at(id);
    if (files.header.empty()) {
        // The header file is written last, and goes first.
        message.state = OldState::unfinished;
        return message;
    }
    const auto content = spool_.content(files.header, header_limit);
    if (!content) return message;
    EximHeader header = parse_exim_header(content->text, id);
    if (!header.fault.empty()) spool_.fault(files.header, header.fault);
    if (!header.whole) return message;
    message.birth = header.birth;
    message.envelope = std::move(header.envelope);
    message.text = std::move(header.fields);
    message.key = "exim-" + id;
    if (!take_done(files, std::move(header.done), message)) return message;
    if (!is_open(message.envelope)) {
        message.state = OldState::finished;
        return message;
    }
    if (take_body(id, files, header.wire, message)) message.state = OldState::ready;
    return message;
}

}  // namespace relais::setup
